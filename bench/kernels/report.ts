import { TOLERANCE } from "./check.ts";
import { type BenchWorkload, flops, total } from "./workload.ts";
import { type BenchMeasurement, textTable } from "../pages/page.ts";

/** One line of the benchmark: a workload under a name. */
export interface Row {
  group: "matmul" | "attention" | "step";
  name: string;
  workload: BenchWorkload;
}

/** Times of one contender in order of repetition. */
export interface Times {
  milliseconds: number[];
  /** What all threads of its process worked; other work on the machine changes it least. */
  processorMilliseconds?: number[];
  error: number;
  residentBytes: number;
  deviceBytes?: number;
}

/** What one contender took, or why there is nothing. */
export type ContenderTiming = Times | { absent: string };

export interface RowResult extends Row {
  ours: ContenderTiming;
  peers: { name: string; webgpu: boolean; timing: ContenderTiming }[];
}

export interface Report {
  date: string;
  /** Seven digits; absent outside a git repository. */
  commit?: string;
  command: string;
  machine: {
    adapter: string;
    processor: string;
    cores: number;
    system: string;
    deno: string;
    genrec: string;
  };
  packages: Record<string, string>;
  rows: RowResult[];
}

export interface Ratio {
  /** Median of peer's time / our time over the repetitions; above 1 we are faster. */
  median: number;
  low: number;
  high: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median and range, each number as `text` writes it. */
export function spread(values: readonly number[], text: (value: number) => string): string {
  return `${text(median(values))} [${text(Math.min(...values))} - ${text(Math.max(...values))}]`;
}

/** Peer against ours, repetition by repetition: the two ran one after the other. Undefined where either is absent or wrong. */
export function ratioOf(
  group: Row["group"],
  ours: ContenderTiming,
  peer: ContenderTiming,
): Ratio | undefined {
  if ("absent" in ours || "absent" in peer) return undefined;
  if (isWrong(group, ours) || isWrong(group, peer)) return undefined;
  return ratioOfTimes(ours.milliseconds, peer.milliseconds);
}

/** Peer against ours, times of one turn after the other. */
export function ratioOfTimes(ours: readonly number[], peer: readonly number[]): Ratio {
  const ratios = ours.map((own, i) => peer[i] / own);
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

export const HEADINGS = ["workload", "contender", "ms, median [range]", "rate", "peer / ours"] as const;

/** Lines of the table for one workload: ours, then the peers. */
export function workloadLines({ group, name, workload, ours, peers }: RowResult): string[][] {
  const line = (contender: string, timing: ContenderTiming, ratio: string) => [
    contender === "genrec" ? name : "",
    contender,
    timingText(group, timing),
    "absent" in timing || isWrong(group, timing) ? "" : rateText(workload, median(timing.milliseconds)),
    ratio,
  ];
  return [
    line("genrec", ours, ""),
    ...peers.map((peer) => line(peer.name, peer.timing, ratioText(ratioOf(group, ours, peer.timing)))),
  ];
}

/** Best WebGPU peer and best peer at all, a sentence a group. */
export function summaryLines(rows: readonly RowResult[]): string[] {
  const lines: string[] = [];
  for (const group of ["matmul", "attention", "step"] as const) {
    for (const webgpu of [true, false]) {
      const lowest = rows.filter((row) => row.group === group).flatMap((row) => {
        const ratios = row.peers.filter((peer) => peer.webgpu === webgpu)
          .map((peer) => ratioOf(group, row.ours, peer.timing)?.median)
          .filter((ratio) => ratio !== undefined);
        return ratios.length ? [Math.min(...ratios)] : [];
      });
      if (lowest.length === 0) continue;
      const [low, high] = [Math.min(...lowest), Math.max(...lowest)].map((x) => `${digits(x)}x`);
      const lost = lowest.filter((ratio) => ratio < 1).length;
      lines.push(
        `${group}: ${low === high ? low : `${low} to ${high}`} the speed of the best ` +
          `${webgpu ? "WebGPU" : "CPU"} peer, row by row${lost ? `; ${lost} of ${lowest.length} LOST` : ""}`,
      );
    }
  }
  return lines;
}

export const MEMORY_HEADINGS = ["workload", "contender", "resident, peak", "on the device, peak"] as const;

/** Peak memory of the training-step processes. */
export function memoryLines(rows: readonly RowResult[]): string[][] {
  return rows.filter(isStep).flatMap(({ name, ours, peers }) =>
    [{ name: "genrec", timing: ours }, ...peers].flatMap((contender, i) => {
      const { timing } = contender;
      if ("absent" in timing) return [];
      const device = timing.deviceBytes === undefined ? "" : mebibytes(timing.deviceBytes);
      return [[i === 0 ? name : "", contender.name, mebibytes(timing.residentBytes), device]];
    })
  );
}

/** A report for the page of kernels: products and attention are one measurement, training steps another. */
export function measurementsOf(report: Report): Record<string, BenchMeasurement> {
  const { machine, packages, rows, command, date, commit } = report;
  const conditions = {
    command: [command],
    date,
    ...(commit === undefined ? {} : { commit }),
    machine: [
      machine.adapter,
      `${machine.processor}, ${machine.cores} cores`,
      machine.system,
      `Deno ${machine.deno}`,
      `genrec ${machine.genrec}`,
      ...(Object.keys(packages).length === 0
        ? []
        : [Object.values(packages).map((name) => name.replace("npm:", "")).join(", ")]),
    ].join("; "),
  };
  const parts = { kernels: rows.filter(({ group }) => group !== "step"), step: rows.filter(isStep) };
  return Object.fromEntries(
    Object.entries(parts).filter(([, rows]) => rows.length > 0).map(([name, rows]) => [name, {
      ...conditions,
      tables: [
        textTable(HEADINGS, rows.flatMap(workloadLines)),
        ...(memoryLines(rows).length ? [textTable(MEMORY_HEADINGS, memoryLines(rows))] : []),
      ],
      remarks: summaryLines(rows),
      raw: rows,
    }]),
  );
}

/** Cells padded to columns. */
export function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  return lines.map((cells) => cells.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd());
}

function isStep({ group }: RowResult): boolean {
  return group === "step";
}

/** Whether a result is too far from that of float64 loops. */
export function isWrong(group: Row["group"], timing: { error: number }): boolean {
  return !(timing.error <= TOLERANCE[group]);
}

/** Median and range, or why there is no figure. */
export function timingText(group: Row["group"], timing: ContenderTiming): string {
  if ("absent" in timing) return timing.absent;
  if (isWrong(group, timing)) {
    return `WRONG: error ${timing.error.toExponential(1)}, at most ${TOLERANCE[group]} is right`;
  }
  return spread(timing.milliseconds, digits);
}

function rateText(workload: BenchWorkload, milliseconds: number): string {
  const gigaflops = `${digits(flops(workload) / milliseconds / 1e6)} GF/s`;
  if (workload.kind !== "step") return gigaflops;
  return `${Math.round(total(workload.lengths) / milliseconds * 1000)} tokens/s, ${gigaflops}`;
}

/** Median and range; below 1 it says LOSS. */
export function ratioText(ratio: Ratio | undefined): string {
  if (!ratio) return "";
  const range = ratio.low === ratio.high ? "" : ` [${digits(ratio.low)} - ${digits(ratio.high)}]`;
  return `${digits(ratio.median)}x${range}${ratio.median < 1 ? " LOSS" : ""}`;
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
