/** What a roofline says of every kernel, before any of it has run on that GPU. */
import type { Device } from "../../kernels/gpu/device.ts";
import type { KernelSpec, Values } from "../../kernels/gpu/spec.ts";
import * as SPECS from "../../kernels/registry.ts";
import { sftStep } from "../layouts/sft.ts";
import { sftRows } from "../layouts/sft_rows.ts";
import { type Table, textTable } from "../pages/page.ts";
import { type DispatchWork, openCountingGpu } from "./count_work.ts";
import { kernelRows } from "./kernel_rows.ts";

import { type Arithmetic, type KernelWork, type RooflinePeaks, rooflineTime } from "./roofline.ts";
import { STEP_SHAPES } from "./step_shapes.ts";

/** Work, and the time that it takes at least. */
export interface PredictedTime extends KernelWork {
  /** What is done: a kernel at a shape, or a step. */
  name: string;
  /** Dispatches of it. */
  calls: number;
  milliseconds: number;
  bound: string;
}

/** Every prediction of a GPU. */
export interface RooflinePredictions {
  /** Operations of several variants, and kernels that move bytes, at the shapes that the report times. */
  operations: PredictedTime[];
  /** Training steps of four sizes, each the sum of its kernels. */
  steps: (PredictedTime & { kernels: PredictedTime[] })[];
  /** Every kernel of the registry at the largest shape of its tests. */
  registry: PredictedTime[];
}

/** Predicts what `peaks` allow; `side` is that of the largest product, `tokens` cuts steps short. `like` lends its limits. */
export async function predict(
  name: string,
  peaks: RooflinePeaks,
  like: Device,
  { side, tokens = Infinity }: { side: number; tokens?: number },
): Promise<RooflinePredictions> {
  const { device } = await openCountingGpu(name, like);
  const { device: half } = await openCountingGpu(name, like, "float16");
  const inHalf = kernelRows(half, side).filter(({ arithmetic }) => arithmetic === "f16");
  const operations = new Map<string, PredictedTime>();
  for (const { name, work, arithmetic } of [...kernelRows(device, side), ...inHalf]) {
    const key = arithmetic === "f32" ? name : `${name} in float16`;
    const found = predictionOf(key, [work], peaks, arithmetic);
    if (found) operations.set(key, found);
  }
  const steps = [];
  for (const { name: step, config, tokens: usual } of STEP_SHAPES) {
    const rows = sftRows(config.vocab_size, { tokens: Math.min(tokens, usual) });
    const pairs = rows.reduce((sum, { tokens: { length } }) => sum + length * (length + 1) / 2, 0);
    const counting = await openCountingGpu(name, like, "float32", { pairs });
    sftStep(counting.device, config, rows, "packed").run();
    steps.push(stepOf(step, counting.dispatches, peaks));
    if (tokens < Infinity) break;
  }
  return { operations: [...operations.values()], steps, registry: await registry(name, peaks, like) };
}

/** The predictions of a step's kernels, which run one after the other, and their sum. */
function stepOf(name: string, dispatches: readonly DispatchWork[], peaks: RooflinePeaks) {
  const kernels = byKernel(dispatches, peaks).sort((a, b) => b.milliseconds - a.milliseconds);
  const sum = (of: "flops" | "bytes" | "calls" | "milliseconds") =>
    kernels.reduce((total, kernel) => total + kernel[of], 0);
  const arithmetic = kernels.filter(({ bound }) => bound === "arithmetic")
    .reduce((total, { milliseconds }) => total + milliseconds, 0);
  const milliseconds = sum("milliseconds");
  const bound = `${(100 * arithmetic / milliseconds).toFixed(0)} % arithmetic`;
  return {
    name,
    flops: sum("flops"),
    bytes: sum("bytes"),
    calls: sum("calls"),
    milliseconds,
    bound,
    kernels,
  };
}

function byKernel(dispatches: readonly DispatchWork[], peaks: RooflinePeaks): PredictedTime[] {
  const groups = Map.groupBy(dispatches, ({ kernel }) => kernel);
  return [...groups].map(([kernel, works]) => predictionOf(kernel, works, peaks)!);
}

/** Dispatches of one kernel, each as long as its own roofline. Undefined where no peak of the arithmetic is known. */
function predictionOf(
  name: string,
  works: readonly KernelWork[],
  peaks: RooflinePeaks,
  arithmetic: Arithmetic = "f32",
): PredictedTime | undefined {
  const times = works.map((work) => rooflineTime(work, peaks, arithmetic));
  if (times.some((time) => !time)) return undefined;
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return {
    name,
    calls: works.length,
    flops: sum(works.map(({ flops }) => flops)),
    bytes: sum(works.map(({ bytes }) => bytes)),
    milliseconds: 1000 * sum(times.map((time) => time!.seconds)),
    bound: times.filter((time) => time!.bound === "arithmetic").length * 2 > works.length
      ? "arithmetic"
      : "memory",
  };
}

async function registry(name: string, peaks: RooflinePeaks, like: Device): Promise<PredictedTime[]> {
  const found: PredictedTime[] = [];
  for (const spec of Object.values(SPECS) as KernelSpec[]) {
    const { device, dispatches } = await openCountingGpu(name, like);
    const size = ({ inputs }: { inputs: Readonly<Record<string, Values>> }) =>
      Object.values(inputs).reduce((sum, { data }) => sum + data.length, 0);
    const largest = spec.cases().reduce((a, b) => size(a) > size(b) ? a : b);
    const inputs = Object.fromEntries(
      Object.entries(largest.inputs).map(([name, { kind, rows, cols, data }]) => [
        name,
        kind === "matrix" ? device.createMatrix(rows, cols) : device.createFlat(kind, data.length),
      ]),
    );
    device.scope(() => spec.forward(device, inputs, largest.attributes));
    for (const prediction of byKernel(dispatches, peaks)) {
      found.push({ ...prediction, name: `${spec.name}, ${largest.name}: ${prediction.name}` });
    }
  }
  return found;
}

/** What a page shows of predictions; the kernels of steps and of the registry are for the JSON. */
export function predictionTable({ operations, steps }: RooflinePredictions): Table {
  return textTable(
    ["what", "dispatches", "GFLOP", "MB", "predicted ms", "bound by"],
    [...operations, ...steps.map((step) => ({ ...step, name: `step, ${step.name}` }))].map((row) => [
      row.name,
      `${row.calls}`,
      (row.flops / 1e9).toPrecision(3),
      (row.bytes / 1e6).toPrecision(3),
      row.milliseconds.toPrecision(3),
      row.bound,
    ]),
  );
}
