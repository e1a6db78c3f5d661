import assert from "node:assert/strict";
import { killTable, killTasks } from "../../bench/kill.ts";

Deno.test("tasks that are killed at any moment and go on leave the files of those that nobody killed, and no others", async () => {
  const lines: string[] = [];
  const names = ["data", "embed", "baseline"];
  const kills = await killTasks({ kills: 3, seed: 42, names, log: (line) => lines.push(line) });
  assert.deepEqual(kills.filter(({ fault }) => fault !== ""), [], lines.join("\n"));
  const told = killTable(kills).rows.map(([task, killed, , faults]) => [task, killed, faults]);
  assert.deepEqual(told.slice(0, 5), [
    ["data", 1, 0],
    ["convert", 0, 0],
    ["embed", 1, 0],
    ["baseline", 1, 0],
    ["sid", 0, 0],
  ]);
});
