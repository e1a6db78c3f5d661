import assert from "node:assert/strict";
import { killTable, killTasks } from "../../bench/kill.ts";

Deno.test("tasks that are killed at any moment and go on leave the files of those that nobody killed, and no others", async () => {
  const lines: string[] = [];
  const names = ["data", "convert", "embed", "baseline"];
  const kills = await killTasks({ kills: 8, seed: 42, names, log: (line) => lines.push(line) });
  assert.deepEqual(kills.filter(({ fault }) => fault !== ""), [], lines.join("\n"));
  assert.ok(kills.filter(({ tooLate }) => !tooLate).length >= 4, lines.join("\n"));
  const told = killTable(kills).rows.map((
    [task, killed, late, faults],
  ) => [task, Number(killed) + Number(late), faults]);
  assert.deepEqual(told.slice(0, 5), [...names.map((name) => [name, 2, 0]), ["sid", 0, 0]]);
});
