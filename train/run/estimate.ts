import type { World } from "../../base/parallel/world.ts";
import type { Capacity } from "../../data/packing/batches.ts";
import type { Device, DeviceOptions } from "../../kernels/gpu/device.ts";
import { openRehearsal } from "../../kernels/gpu/rehearsal.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Decoder } from "../../models/decoder/decoder.ts";
import { Optimizer, type OptimizerOptions } from "../../models/optimizer/optimizer.ts";
import type { ParameterSpec } from "../../models/parameters/spec.ts";
import { savingBytes } from "./checkpoint.ts";
import { vocabularyLoss } from "../../models/losses/vocabulary_loss.ts";

/** A training run, as far as its cost goes. */
export interface TrainingPlan {
  /** Storage of matrices. */
  dtype: DeviceOptions["dtype"];
  /** Makes the model on a device; nothing need be loaded or initialised. */
  decoder(device: Device): Decoder;
  optimizer: OptimizerOptions;
  /** Ranks that share its moments. Default: none do. */
  shards?: World;
  /** Allocates what a step needs besides; what it returns records forward and backward of one micro batch. */
  microBatch(device: Device, decoder: Decoder, optimizer: Optimizer): () => void;
  /** Measures the model between steps; absent: never. */
  validate?(device: Device, decoder: Decoder): Promise<unknown>;
  /** Rows of a micro batch. */
  capacity: Capacity;
  /** What an epoch trains on. */
  epoch: { tokens: number; targets: number; sequences: number; steps: number };
  /** Optimizer steps of the run. */
  steps: number;
  /** Checkpoints that it writes. */
  saves: number;
}

/** Bytes on the adapter, by what they are for. */
export interface TrainingMemory {
  /** What the optimizer changes, in float32. */
  weights: number;
  /** Weights as kernels read them, where that is not the same: twins in textures or float16, and frozen weights. */
  matrices: number;
  gradients: number;
  /** AdamW's two moments and, with EMA, the averages and their backup. */
  optimizer: number;
  /** Tokens, targets and other arrays of a micro batch. */
  batch: number;
  /** Logits of a chunk of the vocabulary and their gradient. */
  logits: number;
  /** What else a forward and backward pass keeps. */
  activations: number;
  /** What a validation takes beyond that, between steps. */
  validation: number;
  /** All of it, at the peak. */
  total: number;
}

/** Bytes of the process that count where matrices lie in its memory too, by what they are for. */
export type HostMemory = Record<string, number>;

/** What a run will take. */
export interface TrainingEstimate {
  /** Numbers of the model, and how many of them are trained. */
  parameters: { total: number; trained: number };
  tokensPerEpoch: number;
  steps: number;
  memory: TrainingMemory;
  /** Its kernels. */
  compiled: Device["compiled"];
  /** Bytes that writing a checkpoint takes beside all that, in the memory of the process. */
  saving: number;
  /**
   * Floating point operations of the model: two a multiply-add, forward and backward, each once. What activation
   * checkpointing or chunks of logits compute again is not counted, as is usual for model FLOP utilisation.
   */
  flops: { step: number; run: number };
}

/**
 * Goes through a training step and a validation on a device that allocates nothing (see `openRehearsal()`), so memory is
 * counted by the code that will use it. Takes milliseconds. Throws what the adapter's limits would throw.
 */
export async function estimateTraining(device: Device, plan: TrainingPlan): Promise<TrainingEstimate> {
  const rehearsal = await openRehearsal(device, plan.dtype);
  const held = () => rehearsal.memory.held;
  const decoder = plan.decoder(rehearsal);
  const { parameters } = decoder;
  const weights = 4 * parameters.length;
  const matrices = held() - 2 * weights;
  const model = held();
  const optimizer = new Optimizer(parameters, plan.optimizer, { shards: plan.shards });
  const withOptimizer = held();
  const record = plan.microBatch(rehearsal, decoder, optimizer);
  const before = held();
  rehearsal.scope(() => {
    record();
    optimizer.step();
  });
  const step = held();
  await plan.validate?.(rehearsal, decoder);
  // What follows compiles for itself.
  const compiled = new Map(rehearsal.compiled.entries().map(([kernel, made]) => [kernel, made.slice()]));
  const total = Math.max(step, rehearsal.memory.peak);
  const saving = savingBytes(rehearsal, plan.saves, parameters);
  rehearsal.trim();
  const logits = logitsBytes(rehearsal, decoder, plan.capacity.rows);
  const flops = epochFlops(decoder, plan.epoch) / plan.epoch.steps;
  return {
    parameters: { total: parameters.count, trained: parameters.trainedCount },
    tokensPerEpoch: plan.epoch.tokens,
    steps: plan.steps,
    memory: {
      weights,
      matrices,
      gradients: weights,
      optimizer: withOptimizer - model,
      batch: before - withOptimizer,
      logits,
      activations: step - before - logits,
      validation: total - step,
      total,
    },
    compiled,
    saving: saving + 4 * (decoder.lora?.count ?? 0), // and the adapters that are merged
    flops: { step: flops, run: flops * plan.steps },
  };
}

/** What the loss over the vocabulary takes besides its gradient of the hidden rows (R, C). */
function logitsBytes(device: Device, decoder: Decoder, R: number): number {
  const targets = device.createFlat("u32", R);
  const weights = device.createFlat("f32", R);
  const stats = device.createFlat("f32", 4 * R);
  return device.scope(() => {
    const tape = new Tape(device, true);
    const before = device.memory.held;
    const taken = () => device.memory.held - before;
    const hidden = device.matrix(R, decoder.config.hidden_size);
    const one = taken();
    const rows = { targets, weights, stats, rowLoss: weights };
    vocabularyLoss(tape, decoder.parameters, hidden, decoder.headName, rows, { labelSmoothing: 0 });
    tape.backward();
    return Math.max(0, taken() - 2 * one);
  });
}

/** Floating point operations of an epoch; see {@link TrainingEstimate}. */
export function epochFlops(
  decoder: Pick<Decoder, "config" | "headName"> & { parameters: { specs: ParameterSpec[] } },
  { tokens, targets, sequences }: TrainingPlan["epoch"],
): number {
  const { config, headName, parameters } = decoder;
  let flops = 0;
  for (const { name, rows, cols, product, frozenRows = 0 } of parameters.specs) {
    if (!product) continue;
    const isHead = name === headName;
    // The lookup of an embedding that is not the head computes nothing.
    if (!isHead && /embed_tokens/.test(name)) continue;
    // Forward and the gradient of the input; the weight's own gradient only where it is trained.
    flops += 2 * (isHead ? targets : tokens) * cols * (2 * rows + (rows - frozenRows));
  }
  // Causal attention sees half of the pairs of tokens: q k^T and the sum over values, and twice that in backward.
  // Sequences are taken as equally long, which is the least that they can cost.
  const pairs = tokens * (tokens / sequences + 1) / 2;
  const width = config.num_attention_heads * config.head_dim;
  return flops + 3 * config.num_hidden_layers * 4 * pairs * width;
}

/** Lines of `--dry-run`: what is estimated, and the time where `flopsPerSecond` is known. */
export function formatEstimate(
  estimate: TrainingEstimate,
  flopsPerSecond?: number,
  host: HostMemory = {},
): string[] {
  const { parameters, tokensPerEpoch, steps, memory, flops } = estimate;
  const count = (value: number) => value.toLocaleString("en-US");
  const rows: [string, string][] = [
    ["parameters", `${count(parameters.total)}, trained ${count(parameters.trained)}`],
    ["tokens an epoch", count(tokensPerEpoch)],
    ["steps", count(steps)],
    ["FLOPs", `${flops.step.toExponential(2)} a step, ${flops.run.toExponential(2)} in all`],
  ];
  if (flopsPerSecond) {
    const rate = `${(flopsPerSecond / 1e9).toPrecision(2)} GFLOP/s`;
    rows.push([
      "time",
      `about ${formatSeconds(flops.run / flopsPerSecond)} at ${rate}, validations not counted`,
    ]);
  }
  rows.push(["memory", formatBytes(takenBytes(estimate, host))]);
  const names: Record<Exclude<keyof TrainingMemory, "total">, string> = {
    weights: "weights",
    matrices: "frozen or copied weights",
    gradients: "gradients",
    optimizer: "optimizer",
    batch: "batch",
    logits: "logits",
    activations: "activations",
    validation: "validations",
  };
  for (const [part, name] of Object.entries(names)) {
    const bytes = memory[part as keyof TrainingMemory];
    if (bytes > 0) rows.push([`  ${name}`, `  ${formatBytes(bytes)}`]);
  }
  for (const [name, bytes] of Object.entries(host)) rows.push([`  ${name}`, `  ${formatBytes(bytes)}`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** Bytes at the peak of a run, with those of the process. */
export function takenBytes({ memory }: TrainingEstimate, host: HostMemory): number {
  return Object.values(host).reduce((sum, bytes) => sum + bytes, memory.total);
}

/** Bytes in the largest unit that leaves a number above 1: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(0)} minutes`;
  return `${(seconds / 3600).toFixed(1)} hours`;
}
