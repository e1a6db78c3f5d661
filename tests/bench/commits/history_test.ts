import assert from "node:assert/strict";
import { join } from "node:path";
import {
  againstHistory,
  appendHistory,
  type BenchEntry,
  historyLines,
  readHistory,
} from "../../../bench/commits/history.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const entry = (rows: Record<string, number>, conditions = "here"): BenchEntry => ({
  time: "2026-11-30T00:00:00.000Z",
  commit: "abcdef0",
  conditions,
  load: 0.5,
  rows,
});

Deno.test("againstHistory() takes the median of the last ten entries of the same conditions", () => {
  const before = [
    ...Array.from({ length: 5 }, () => entry({ a: 900 })), // too long ago
    ...[100, 101, 99, 100, 100, 100, 100, 100, 100, 300].map((a) => entry({ a })),
    entry({ a: 1 }, "elsewhere"),
    entry({ b: 10 }),
  ];
  const lines = againstHistory(before, entry({ a: 105.5, b: 10.5, c: 1 }));
  assert.deepEqual(lines, [
    { row: "a", milliseconds: 105.5, before: { milliseconds: 100, entries: 10 }, lost: true },
    { row: "b", milliseconds: 10.5, before: { milliseconds: 10, entries: 1 }, lost: false },
    { row: "c", milliseconds: 1, lost: false },
  ]);
  assert.deepEqual(historyLines(lines), [
    "history: 1 of 2 rows lost over 5 %",
    "LOSS a: 105.50 ms, 5.5 % over 100.00 ms, the median of 10 entries",
  ]);
  assert.deepEqual(historyLines(againstHistory([], entry({ a: 1 }))), [
    "history: first entry of these conditions",
  ]);
});

Deno.test("appendHistory() adds a line, and readHistory() names a bad one", async () => {
  await withFiles({ "torn.jsonl": `${JSON.stringify(entry({ a: 1 }))}\n{"time": "2026` }, async (folder) => {
    const path = join(folder, "bench.jsonl");
    assert.deepEqual(await readHistory(path), []);
    await appendHistory(path, entry({ a: 1 }));
    await Deno.writeTextFile(path, (await Deno.readTextFile(path)).trimEnd()); // as an editor may leave it
    await appendHistory(path, entry({ a: 2 }));
    assert.deepEqual((await readHistory(path)).map(({ rows }) => rows.a), [1, 2]);
    await assert.rejects(readHistory(join(folder, "torn.jsonl")), /torn\.jsonl line 2: expected JSON/);
  });
});
