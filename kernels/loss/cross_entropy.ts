import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { noiseMatrix, type TunableOperation } from "../gpu/workload.ts";
import { ROW_CLASSES, type RowShape, type RowVariant } from "../reduce/rows/variant.ts";
import subgroups from "../reduce/rows/subgroups.wgsl" with { type: "text" };
import chunkCode from "./cross_entropy_chunk.wgsl" with { type: "text" };
import rowsCode from "./cross_entropy.wgsl" with { type: "text" };
import subgroupsCode from "./cross_entropy_subgroups.wgsl" with { type: "text" };

const label = "kernels/loss/cross_entropy.wgsl";
const code = chunkCode + rowsCode;
const chunkKernel: Kernel = {
  label,
  code,
  entry: "cross_entropy_chunk",
  inputs: 1,
  outputs: 0,
  flats: ["read", "read_write"],
  workgroup: [32],
};
const TEAM = 128;
const teamKernel: Kernel = { ...chunkKernel, entry: "cross_entropy_chunk_team", workgroup: [TEAM] };
const subgroupsKernel: Kernel = {
  ...chunkKernel,
  label: "kernels/loss/cross_entropy_subgroups.wgsl",
  code: subgroups + chunkCode + subgroupsCode,
  entry: "cross_entropy_chunk_subgroups",
  needs: "subgroups",
  workgroup: [TEAM],
  constants: { TEAM },
};
const rowsKernel: Kernel = {
  label,
  code,
  entry: "cross_entropy_rows",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read", "read_write"],
  workgroup: [32],
};
const backwardKernel: Kernel = {
  label,
  code,
  entry: "cross_entropy_backward",
  staged: true,
  inputs: 1,
  outputs: 1,
  flats: ["read", "read", "read"],
  workgroup: [16, 8],
};

/** Statistics of a softmax: an invocation a row on CPU adapters, a workgroup a row on GPUs, which may sum through subgroups. */
export const SOFTMAX: TunableOperation<RowVariant & { readonly kernel: Kernel }, RowShape> = {
  name: "softmax",
  variants: [
    { name: "invocation", kernel: chunkKernel, team: 1 },
    { name: "workgroup", kernel: teamKernel, team: TEAM },
    { name: "subgroups", needs: ["subgroups"], kernel: subgroupsKernel, team: TEAM },
  ],
  defaultOf: (isCpu) => SOFTMAX.variants[isCpu ? 0 : 1],
  ...ROW_CLASSES,
  workload(device, { rows, cols }) {
    const logits = noiseMatrix(device, rows, cols);
    const targets = device.createFlat("u32", rows);
    const stats = device.createFlat("f32", rows * 4);
    const call = () => {
      crossEntropyChunk(device, logits, targets, stats, { start: 0, first: true });
      return stats;
    };
    return { call, flats: [targets, stats] };
  },
};

/** Part of the vocabulary that a matrix of logits covers. */
export interface VocabularyChunk {
  /** Token of its first column. */
  start: number;
  /** Whether it is the first of its rows: statistics begin anew. */
  first: boolean;
}

/** Label smoothing over the whole vocabulary, whatever its chunks. */
export interface Smoothing {
  /** Tokens of all chunks together, V. */
  vocabulary: number;
  /** Share of the target that is spread evenly over the vocabulary, 0 for none. */
  smoothing: number;
}

/**
 * Folds the logits of one chunk of the vocabulary into the statistics of its rows: largest logit, sum of exp(logit -
 * largest), logit of the target, sum of logits. logits (R, Vc), targets u32 (R) -> stats f32 (4 R).
 */
export function crossEntropyChunk(
  device: Device,
  logits: Matrix,
  targets: Flat,
  stats: Flat,
  { start, first }: VocabularyChunk,
): void {
  expectLength("crossEntropyChunk() targets", targets, "u32", logits.rows);
  expectLength("crossEntropyChunk() stats", stats, "f32", logits.rows * 4);
  const { kernel, team } = device.variants.of(SOFTMAX, logits);
  device.run(kernel, {
    inputs: [logits],
    flats: [targets, stats],
    u32: [logits.rows, logits.cols, start, Number(first)],
    invocations: [logits.rows * team],
  });
}

/**
 * Loss of each row once all chunks are folded in: weight * ((1 - s) * (lse - z_target) + s * (lse - mean z)), with lse
 * the log of the sum of exp z; exactly 0 where the weight is 0. stats f32 (4 R), weights f32 (R) -> rowLoss f32 (R),
 * in nats.
 */
export function crossEntropyRows(
  device: Device,
  stats: Flat,
  weights: Flat,
  rowLoss: Flat,
  { rows, vocabulary, smoothing }: Smoothing & { rows: number },
): void {
  expectLength("crossEntropyRows() stats", stats, "f32", rows * 4);
  expectLength("crossEntropyRows() weights", weights, "f32", rows);
  expectLength("crossEntropyRows() rowLoss", rowLoss, "f32", rows);
  device.run(rowsKernel, {
    flats: [stats, weights, rowLoss],
    u32: [rows],
    f32: [vocabulary, smoothing],
    invocations: [rows],
  });
}

/**
 * Gradient of the summed row losses for one chunk: weight * (softmax - (1 - s) onehot - s / V), 0 where the weight is
 * 0. logits (R, Vc), targets u32 (R), weights f32 (R), stats f32 (4 R) of all chunks -> (R, Vc).
 */
export function crossEntropyBackward(
  device: Device,
  logits: Matrix,
  targets: Flat,
  weights: Flat,
  stats: Flat,
  { start, vocabulary, smoothing }: Smoothing & { start: number },
): Matrix {
  const { rows, cols } = logits;
  expectLength("crossEntropyBackward() targets", targets, "u32", rows);
  expectLength("crossEntropyBackward() weights", weights, "f32", rows);
  expectLength("crossEntropyBackward() stats", stats, "f32", rows * 4);
  const gradient = device.matrix(rows, cols);
  device.run(backwardKernel, {
    inputs: [logits],
    outputs: [gradient],
    flats: [targets, weights, stats],
    u32: [rows, cols, start],
    f32: [vocabulary, smoothing],
    invocations: [groupsOf(cols), rows],
  });
  return gradient;
}
