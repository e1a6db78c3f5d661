import assert from "node:assert/strict";
import { join } from "node:path";
import {
  againstHistory,
  appendHistory,
  type BenchEntry,
  historyEntry,
  historyLines,
  readHistory,
} from "../../../bench/commits/history.ts";
import type { ContenderTiming, Report, RowResult } from "../../../bench/kernels/report.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

/** An entry whose rows have these timings, one number for three alike. */
const entry = (
  rows: Record<string, number | { clock: number[]; processor?: number[] }>,
  conditions = "here",
): BenchEntry => ({
  time: "2026-11-30T00:00:00.000Z",
  commit: "abcdef0",
  conditions,
  load: 0.5,
  rows: Object.fromEntries(
    Object.entries(rows).map(([row, times]) => {
      if (typeof times === "number") return [row, { milliseconds: [times, times, times] }];
      const { clock, processor } = times;
      return [row, { milliseconds: clock, ...(processor && { processorMilliseconds: processor }) }];
    }),
  ),
});

Deno.test("againstHistory() takes the median of the last ten entries of the same conditions", () => {
  const before = [
    ...Array.from({ length: 5 }, () => entry({ a: 900 })), // too long ago
    ...[100, 101, 99, 100, 100, 100, 100, 100, 100, 300].map((a) => entry({ a })),
    entry({ a: 1 }, "elsewhere"),
    entry({ b: 10 }),
  ];
  const lines = againstHistory(before, entry({ a: 105, b: 10.4, c: 1 }));
  assert.deepEqual(lines, [
    {
      row: "a",
      time: "clock",
      milliseconds: 105,
      before: { milliseconds: 100, entries: 10 },
      loss: "resolved",
    },
    { row: "b", time: "clock", milliseconds: 10.4, before: { milliseconds: 10, entries: 1 }, loss: "none" },
    { row: "c", time: "clock", milliseconds: 1, loss: "none" },
  ]);
  assert.deepEqual(historyLines(lines), [
    "history: 1 of 2 rows lost 5 % or more",
    "LOSS a: 105.00 ms, 5.0 % over 100.00 ms, the median of 10 entries",
  ]);
  assert.deepEqual(historyLines(againstHistory([], entry({ a: 1 }))), [
    "history: first entry of these conditions",
  ]);
});

Deno.test("againstHistory() compares by processor time where both have it: a busy machine is no loss", () => {
  const before = [entry({ a: { clock: [50, 51, 52], processor: [90, 91, 92] } })];
  const busy = entry({ a: { clock: [150, 160, 170], processor: [91, 92, 93] } });
  assert.deepEqual(againstHistory(before, busy).map(({ time, loss }) => [time, loss]), [[
    "processor",
    "none",
  ]]);
  const worse = entry({ a: { clock: [50, 51, 52], processor: [99, 100, 101] } });
  const lines = againstHistory(before, worse);
  assert.deepEqual(lines.map(({ loss }) => loss), ["resolved"]);
  assert.match(historyLines(lines)[1], /^LOSS a: 100\.00 ms of processor time, 9\.9 % over 91\.00 ms/);
  const clockAlone = [entry({ a: { clock: [50, 51, 52] } })];
  assert.deepEqual(againstHistory(clockAlone, busy).map(({ time }) => time), ["clock"]);
});

Deno.test("againstHistory() calls a loss resolved where all timings lie above three quarters of those before", () => {
  const before = [entry({ a: { clock: [80, 100, 100, 130] } })];
  const lossOf = (...clock: number[]) => againstHistory(before, entry({ a: { clock } }))[0].loss;
  assert.equal(lossOf(95, 120, 125), "unresolved");
  assert.equal(lossOf(101, 120, 125), "resolved");
  assert.equal(lossOf(101, 104, 104.9), "none", "under 5 %");
  const [, line] = historyLines(againstHistory(before, entry({ a: { clock: [95, 120, 125] } })));
  assert.match(line, /^not resolved, a: 120\.00 ms, 20\.0 % over/);
});

Deno.test("historyEntry() leaves out wrong results, and tells of timings that no machine can do", () => {
  const row = (name: string, ours: ContenderTiming): RowResult => (
    { group: "matmul", name, workload: { kind: "matmul", m: 1000, k: 1000, n: 1000 }, ours, peers: [] }
  );
  const timing = (milliseconds: number[], processorMilliseconds: number[], error = 0) => (
    { milliseconds, processorMilliseconds, error, residentBytes: 0 }
  );
  // 2 GFLOP: 400 GF/s in 5 ms by the clock, 200 GF/s a core.
  const right = timing([5, 5, 5], [10, 10, 10]);
  const report: Report = {
    date: "2026-11-30",
    command: "bench",
    machine: { adapter: "llvmpipe", processor: "a", cores: 2, system: "linux", deno: "2", genrec: "0" },
    packages: {},
    rows: [
      row("right", right),
      row("absent", { absent: "gone" }),
      row("wrong", timing([5, 5, 5], [10, 10, 10], 1)),
      row("negative", timing([5, 5, 5], [10, -1, 10])),
      row("fast clock", timing([5, 5, 1], [10, 10, 10])), // 2000 GF/s of two cores
      row("fast processor", timing([5, 5, 5], [10, 10, 4])), // 500 GF/s of one
    ],
  };
  const conditions = { variant: "", budget: 9, isCpu: true, load: 1 };
  const { entry, rejected } = historyEntry(report, conditions);
  const { milliseconds, processorMilliseconds } = right;
  assert.deepEqual(entry.rows, { right: { milliseconds, processorMilliseconds } });
  assert.equal(entry.conditions, "llvmpipe; a, 2 cores; linux; Deno 2; 9 ms");
  assert.deepEqual(rejected.map((line) => line.slice(0, line.indexOf(", which"))), [
    "REJECTED negative: a timing of -1.000 ms",
    "REJECTED fast clock: 2000 GF/s",
    "REJECTED fast processor: 500 GF/s",
  ]);
  const gpu = historyEntry(report, { ...conditions, isCpu: false }).entry.rows.right;
  assert.equal(gpu.processorMilliseconds, undefined, "the processor does not work there");
});

Deno.test("appendHistory() adds a line, and readHistory() names a bad one", async () => {
  await withFiles({ "torn.jsonl": `${JSON.stringify(entry({ a: 1 }))}\n{"time": "2026` }, async (folder) => {
    const path = join(folder, "bench.jsonl");
    assert.deepEqual(await readHistory(path), []);
    await appendHistory(path, entry({ a: 1 }));
    await Deno.writeTextFile(path, (await Deno.readTextFile(path)).trimEnd()); // as an editor may leave it
    await appendHistory(path, entry({ a: 2 }));
    assert.deepEqual((await readHistory(path)).map(({ rows }) => rows.a.milliseconds[0]), [1, 2]);
    await assert.rejects(readHistory(join(folder, "torn.jsonl")), /torn\.jsonl line 2: expected JSON/);
  });
});
