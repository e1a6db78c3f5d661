import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import { decoderSpecs } from "../../models/decoder/decoder.ts";
import { EMBEDDING, layerName } from "../../models/decoder/blocks.ts";
import { parseDecoderConfig } from "../../models/decoder/config.ts";
import { epochFlops } from "../../train/run/estimate.ts";
import {
  type ClusterRates,
  microBatchesFor,
  predictStep,
  stateBytes,
  type StepShape,
  type StepTime,
} from "../../train/ranks/cost_model.ts";
import { fitSteps, type FittedRates, MeasuredSteps } from "../../train/ranks/fit.ts";
import { simulateSteps } from "../../train/ranks/simulated_step.ts";
import type { Task, TaskIO } from "../_cli/cli.ts";
import { zeroStage } from "../../models/optimizer/fields.ts";
import { tableLines } from "../_cli/table.ts";
import { MODELS } from "./models.ts";

const config = z.strictObject({
  ranks: z.array(z.int().min(1).max(4096)).min(1).default([8, 64, 512]).describe(
    "numbers of processes, a device each",
  ),
  link: z.number().positive().default(25).describe(
    "GB/s that a process sends to others while it receives as much",
  ),
  deviceTflops: z.number().positive().default(40).describe(
    "TFLOP/s that training reaches on one device, not its peak: FLOPs of `sft --dry-run` by the seconds of a step",
  ),
  copy: z.number().positive().default(20).describe("GB/s between a device and its host, each way"),
  additions: z.number().positive().default(3).describe(
    "billion additions a second of the host, which sums gradients",
  ),
  latency: z.number().min(0).default(5).describe("microseconds that a message takes beside its bytes"),
  spread: z.number().min(0).max(1).default(0.03).describe(
    "standard deviation of a process's time for the same work, relative to its mean",
  ),
  model: z.array(z.enum(Object.keys(MODELS) as [string, ...string[]])).min(1).default(Object.keys(MODELS))
    .describe(
      "shapes to predict, all weights trained",
    ),
  tokensPerBatch: z.int().min(1).default(8192).describe("packed tokens of a micro batch"),
  sequenceTokens: z.int().min(1).default(256).describe("tokens of a sequence, which attention grows with"),
  microBatches: z.int().min(1).default(1).describe("micro batches of a step that each process has"),
  zeroStage,
  measured: z.string().default("").describe(
    "file of measured steps of one machine, to which the model is fitted: see bench/speed/ranks.ts",
  ),
  steps: z.int().min(1).default(20).describe("simulated steps of each prediction"),
  seed: z.int().min(0).default(42).describe("seed of the simulated stragglers"),
});
type Flags = z.output<typeof config>;

/** Weak scaling that is worth its devices. */
const WORTH = 0.9;

export const task: Task<typeof config> = {
  name: "plan",
  summary: "what a training step takes on many devices",
  examples: [
    "plan --ranks 8,64,512 --link 25 --device-tflops 40",
    "plan --measured ranks.json --model qwen2.5-0.5b --micro-batches 8",
    "plan --model qwen2.5-3b --zero-stage 1",
  ],
  config,
  async run(flags, io) {
    const fit = flags.measured === "" ? undefined : await readJson(flags.measured, MeasuredSteps);
    const fitted = fit && fitSteps(fit);
    const predictions = predict(flags);
    if (io.json) return console.log(JSON.stringify({ fitted, predictions }, null, 2));
    if (fit && fitted) tellFit(fit.steps, fitted, io);
    tellPredictions(flags, predictions, io);
  },
};

/** A step of a model on so many ranks. */
interface Prediction extends StepTime {
  model: string;
  ranks: number;
  /** Numbers of the gradient. */
  gradient: number;
  /** Bytes of weights, gradients and moments on a device. */
  state: number;
  /** Mean of simulated steps, in seconds. */
  simulated: number;
  /** Micro batches a rank with which the step would be worth its devices; undefined: no number of them. */
  microBatchesNeeded: number | undefined;
}

function predict(flags: Flags): Prediction[] {
  const { ranks, link, copy, additions, latency, spread, steps, seed, microBatches } = flags;
  const rates: ClusterRates = {
    link: link * 1e9,
    copy: copy * 1e9,
    additions: additions * 1e9,
    latency: latency * 1e-6,
    spread: spread / Math.sqrt(microBatches), // times of micro batches vary one by one
  };
  return flags.model.flatMap((model) => {
    const one = shapeOf(model, flags);
    const shape = { ...one, compute: one.compute * microBatches };
    const gradient = numbersOf(shape);
    return ranks.map((count) => ({
      model,
      ranks: count,
      gradient,
      state: stateBytes(gradient, count, flags.zeroStage === 1),
      ...predictStep(shape, count, rates),
      simulated: simulateSteps(shape, count, rates, { steps, seed }),
      microBatchesNeeded: microBatchesFor(WORTH, one, count, { ...rates, spread }),
    }));
  });
}

function numbersOf({ buckets }: StepShape): number {
  return buckets.reduce((a, b) => a + b, 0);
}

/** A step of one micro batch. */
function shapeOf(
  name: string,
  { deviceTflops, tokensPerBatch, sequenceTokens, zeroStage }: Flags,
): StepShape {
  const architecture = parseDecoderConfig(MODELS[name], name);
  const specs = decoderSpecs(architecture);
  const flops = epochFlops({ config: architecture, headName: EMBEDDING, parameters: { specs } }, {
    tokens: tokensPerBatch,
    targets: tokensPerBatch,
    sequences: tokensPerBatch / Math.min(tokensPerBatch, sequenceTokens),
    steps: 1,
  });
  const compute = flops / (deviceTflops * 1e12);
  const countOf = (wanted: typeof specs) =>
    wanted.flatMap(partsOf).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const layers = Array.from(
    { length: architecture.num_hidden_layers },
    (_, layer) =>
      countOf(specs.filter(({ name, product }) => product && name.startsWith(layerName(layer, "")))),
  );
  // Last layers first; tables and what is no product at the end. Backward passes compute twice what forward passes do.
  const all = countOf(specs), others = all - layers.reduce((a, b) => a + b, 0);
  return {
    compute,
    backward: compute * 2 / 3,
    buckets: [...layers.reverse(), others],
    ...(zeroStage === 1 && { shared: all }),
  };
}

function tellFit(steps: z.output<typeof MeasuredSteps>["steps"], fitted: FittedRates, { log }: TaskIO): void {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const rows = steps.map(({ model, ranks, seconds }, i) => [
    model,
    `${ranks}`,
    seconds.toFixed(3),
    fitted.predicted[i].toFixed(3),
    percent(fitted.predicted[i] / seconds - 1),
  ]);
  log("Measured steps, and what the model says of them after the fit, in seconds:");
  tableLines([["model", "ranks", "measured", "model", "error"], ...rows]).forEach((line) => log(line));
  const { meanError, largestError, number, meeting } = fitted;
  log(
    `Error: ${percent(meanError)} in the mean, ${
      percent(largestError)
    } at most; a number of the gradient takes ` +
      `${(number * 1e9).toFixed(1)} ns, meeting ${(1000 * meeting).toFixed(1)} ms a step`,
  );
  log("");
}

function tellPredictions(
  { microBatches, tokensPerBatch, zeroStage }: Flags,
  predictions: Prediction[],
  { log }: TaskIO,
): void {
  const milliseconds = (seconds: number) => (1000 * seconds).toFixed(seconds < 0.1 ? 1 : 0);
  const isShared = zeroStage === 1;
  const rows = predictions.map((
    { model, ranks, state, compute, straggling, exposed, collecting, total, simulated, efficiency },
  ) => [
    model,
    `${ranks}`,
    (state / 1e9).toFixed(1),
    ...[compute, straggling, exposed, ...isShared ? [collecting] : [], total, simulated].map(milliseconds),
    `${(100 * (simulated / total - 1)).toFixed(1)} %`,
    `${(100 * efficiency).toFixed(1)} %`,
  ]);
  log(
    `Milliseconds of a step, ${microBatches} micro batch${
      microBatches === 1 ? "" : "es"
    } of ${tokensPerBatch} tokens a process; GB of a device for weights, gradients and moments${
      isShared ? " in shares" : ""
    }:`,
  );
  const columns = [
    ...["GB", "compute", "slowest", "gradients", ...isShared ? ["weights"] : []],
    ...["step", "simulated", "apart", "weak scaling"],
  ];
  tableLines([["model", "ranks", ...columns], ...rows]).forEach((line) => log(line));
  for (const prediction of predictions) {
    const { model, ranks, efficiency, exposed, collecting, straggling, microBatchesNeeded } = prediction;
    if (efficiency >= WORTH) continue;
    const reasons: [string, number][] = [
      ["summing gradients", exposed],
      ["collecting weights", collecting],
      ["waiting for the slowest", straggling],
    ];
    const [[reason]] = reasons.toSorted(([, a], [, b]) => b - a);
    const remedy = microBatchesNeeded === undefined
      ? "no number of micro batches helps"
      : `${microBatchesNeeded} micro batches a process reach it`;
    log(`${model} on ${ranks} ranks is below ${100 * WORTH} % for ${reason}: ${remedy}`);
  }
}
