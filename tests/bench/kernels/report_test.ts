import assert from "node:assert/strict";
import {
  type ContenderTiming,
  measurementsOf,
  ratioOf,
  type RowResult,
  summaryLines,
  workloadLines,
} from "../../../bench/kernels/report.ts";

const timing = (...milliseconds: number[]): ContenderTiming => ({ milliseconds, error: 0, residentBytes: 0 });
const row = (ours: ContenderTiming, ...peers: [string, boolean, ContenderTiming][]): RowResult => ({
  group: "matmul",
  name: "matmul 1x1 1x1",
  workload: { kind: "matmul", m: 1, k: 1, n: 1 },
  ours,
  peers: peers.map(([name, webgpu, timing]) => ({ name, webgpu, timing })),
});

Deno.test("ratioOf() pairs the repetitions", () => {
  // 6 / 2 = 3, 8 / 4 = 2, 5 / 1 = 5
  assert.deepEqual(ratioOf("matmul", timing(2, 4, 1), timing(6, 8, 5)), { median: 3, low: 2, high: 5 });
});

Deno.test("workloadLines() prints a loss as a loss and says why a peer is absent", () => {
  const lines = workloadLines(
    row(timing(2), ["fast", false, timing(1)], ["none", true, { absent: "not installed" }]),
  );
  assert.equal(lines[1][4], "0.50x LOSS");
  assert.deepEqual(lines[2].slice(1), ["none", "not installed", "", ""]);
});

Deno.test("workloadLines() gives no ratio for a wrong result", () => {
  const wrong: ContenderTiming = { milliseconds: [9], error: 0.5, residentBytes: 0 };
  const [, peer] = workloadLines(row(timing(1), ["wrong", true, wrong]));
  assert.match(peer[2], /^WRONG/);
  assert.equal(peer[4], "");
});

Deno.test("summaryLines() compares with the best peer of each kind", () => {
  const rows = [row(timing(1), ["a", true, timing(8)], ["b", true, timing(6)], ["c", false, timing(0.5)])];
  assert.deepEqual(summaryLines(rows), [
    "matmul: 6.00x the speed of the best WebGPU peer, row by row",
    "matmul: 0.50x the speed of the best CPU peer, row by row; 1 of 1 LOST",
  ]);
});

Deno.test("measurementsOf() keeps every time beside the table", () => {
  const rows = [row(timing(2, 4, 1), ["fast", true, timing(6, 8, 5)])];
  const machine = {
    adapter: "an adapter",
    processor: "P",
    cores: 2,
    system: "linux",
    deno: "2.9",
    genrec: "0.1",
  };
  const report = { date: "2026-11-21", command: "./genrec bench", machine, packages: { a: "npm:a@1" }, rows };
  const { kernels, step } = measurementsOf(report);
  assert.equal(step, undefined);
  assert.deepEqual(kernels.tables[0].rows[0].slice(0, 3), ["matmul 1x1 1x1", "genrec", "2.00 [1.00 - 4.00]"]);
  assert.equal(kernels.tables[0].rows[1][4], "3.00x [2.00 - 5.00]");
  assert.equal(kernels.machine, "an adapter; P, 2 cores; linux; Deno 2.9; genrec 0.1; a@1");
  assert.deepEqual(kernels.raw, rows);
});
