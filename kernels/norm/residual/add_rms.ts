import type { Device } from "../../gpu/device.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../../gpu/tensor.ts";
import { productColumnSum } from "../../reduce/column_sum.ts";
import { keptScale, thresholdOf } from "../../random/dropout.ts";
import { noiseMatrix, type TunableOperation } from "../../gpu/workload.ts";
import { ROW_CLASSES, type RowShape, type RowVariant } from "../../reduce/rows/variant.ts";
import philoxCode from "../../random/philox.wgsl" with { type: "text" };
import subgroups from "../../reduce/rows/subgroups.wgsl" with { type: "text" };
import rowCode from "./add_rms_row.wgsl" with { type: "text" };
import code from "./add_rms.wgsl" with { type: "text" };
import subgroupsCode from "./add_rms_subgroups.wgsl" with { type: "text" };

interface ResidualNormVariant extends RowVariant {
  readonly forward: Kernel;
  readonly dropForward: Kernel;
  readonly backward: Kernel;
  readonly dropBackward: Kernel;
}

const TEAM = 32;

const invocationVariant = variantOf({
  name: "invocation",
  team: 1,
}, {
  label: "kernels/norm/residual/add_rms.wgsl",
  code: philoxCode + rowCode + code,
  staged: true,
  workgroup: [64],
}, "");

const subgroupsVariant = variantOf({
  name: "subgroups",
  needs: ["subgroups"],
  team: TEAM,
}, {
  label: "kernels/norm/residual/add_rms_subgroups.wgsl",
  code: philoxCode + rowCode + subgroups + subgroupsCode,
  staged: true,
  needs: "subgroups",
  workgroup: [TEAM],
  constants: { TEAM },
}, "_subgroups");

/** Residual addition and RMSNorm: an invocation a row, or a workgroup that sums through subgroups. Timed forward. */
export const RESIDUAL_NORM: TunableOperation<ResidualNormVariant, RowShape> = {
  name: "residual-norm",
  variants: [invocationVariant, subgroupsVariant],
  defaultOf: () => invocationVariant,
  ...ROW_CLASSES,
  workload(device, { rows, cols }) {
    const [x, y, gain] = [rows, rows, 1].map((count) => noiseMatrix(device, count, cols));
    return { call: () => addRmsNorm(device, x, y, gain, 1e-6).normed, flats: [] };
  },
};

function variantOf(
  row: RowVariant,
  common: Pick<Kernel, "label" | "code" | "staged" | "needs" | "workgroup" | "constants">,
  suffix: string,
): ResidualNormVariant {
  const forward: Kernel = { ...common, entry: `add_rms_norm${suffix}`, inputs: 3, outputs: 2, flats: [] };
  const backward: Kernel = {
    ...common,
    entry: `add_rms_norm_backward${suffix}`,
    inputs: 4,
    outputs: 1,
    flats: ["read_write"],
  };
  return {
    ...row,
    forward,
    dropForward: { ...forward, entry: `drop_${forward.entry}`, flats: ["read", "read_write"] },
    backward,
    dropBackward: {
      ...backward,
      entry: `drop_${backward.entry}`,
      outputs: 2,
      flats: ["read_write", "read"],
    },
  };
}

/** Dropout of what is added: see `dropout()`. */
export interface AddedDropout {
  /** u32 [key low, key high, step, unused]. */
  seed: Flat;
  /** Tells the dropouts of a step apart. */
  stream: number;
  /** In [0, 1). */
  rate: number;
}

/** Which elements a dropout left: a bit each. */
export interface KeptElements {
  /** Eight groups of four columns to a word, ceil(C / 32) words a row, borrowed: give it back. */
  bits: Flat;
  /** See {@link AddedDropout}. */
  rate: number;
}

/** Sum (N, C), its norm (N, C), and with dropout what that left. */
export interface AddedNorm {
  /** x + y, float32 on every device. */
  sum: Matrix;
  /** RMSNorm(sum) * gain. */
  normed: Matrix;
  /** What the backward pass needs, where elements of y were dropped. */
  kept?: KeptElements;
}

/**
 * x (N, C), y (N, C), gain (1, C) -> sum = x + y (N, C), normed = RMSNorm(sum) * gain (N, C). With `dropped`, y is dropped
 * out first, the elements that `dropout()` drops. The sum is float32 on every device: a residual stream adds up all
 * layers, which float16 has neither the digits nor, for some channels, the range for.
 */
export function addRmsNorm(
  device: Device,
  x: Matrix,
  y: Matrix,
  gain: Matrix,
  eps: number,
  dropped?: AddedDropout,
): AddedNorm {
  expectShape("addRmsNorm() y", y, x.rows, x.cols);
  expectShape("addRmsNorm() gain", gain, 1, x.cols);
  const sum = device.matrix(x.rows, x.cols, "f32");
  const normed = device.matrix(x.rows, x.cols);
  const groups = groupsOf(x.cols);
  const { forward, dropForward, team } = device.variants.of(RESIDUAL_NORM, x);
  const operands = { inputs: [x, y, gain], outputs: [sum, normed], invocations: [x.rows * team] as const };
  if (!dropped) {
    const f32 = [x.cols, eps, 1];
    device.run(forward, { ...operands, u32: [x.rows, groups, 0, 0, 0], f32 });
    return { sum, normed };
  }
  const { seed, stream, rate } = dropped;
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`addRmsNorm() rate is ${rate}: expected 0 <= rate < 1`);
  }
  expectLength("addRmsNorm() seed", seed, "u32", 4);
  const bits = device.borrow(Math.max(1, x.rows * Math.ceil(groups / 8)));
  device.run(dropForward, {
    ...operands,
    flats: [seed, bits],
    u32: [x.rows, groups, 0, stream, thresholdOf(rate)],
    f32: [x.cols, eps, keptScale(rate)],
  });
  return { sum, normed, kept: { bits, rate } };
}

/**
 * sum (N, C), gain (1, C), dNormed (N, C), dSum (N, C) or undefined for 0 -> dx (N, C) and dy (N, C), one matrix where
 * nothing was dropped. The gain's gradient is added to `dGain` (C, padded to whole groups of four), where there is one.
 */
export function addRmsNormBackward(
  device: Device,
  { sum, kept }: Pick<AddedNorm, "sum" | "kept">,
  gain: Matrix,
  dNormed: Matrix,
  dSum: Matrix | undefined,
  dGain: Flat | undefined,
  eps: number,
): { dx: Matrix; dy: Matrix } {
  expectShape("addRmsNormBackward() gain", gain, 1, sum.cols);
  expectShape("addRmsNormBackward() dNormed", dNormed, sum.rows, sum.cols);
  if (dSum) expectShape("addRmsNormBackward() dSum", dSum, sum.rows, sum.cols);
  const dx = device.matrix(sum.rows, sum.cols);
  const dy = kept ? device.matrix(sum.rows, sum.cols) : dx;
  const scales = device.borrow(Math.max(1, sum.rows));
  const { backward, dropBackward, team } = device.variants.of(RESIDUAL_NORM, sum);
  device.run(kept ? dropBackward : backward, {
    inputs: [sum, gain, dNormed, dSum ?? dNormed], // without dSum the fourth operand is bound but not read
    outputs: kept ? [dx, dy] : [dx],
    flats: kept ? [scales, kept.bits] : [scales],
    u32: [sum.rows, groupsOf(sum.cols), Number(!!dSum), 0, 0],
    f32: [sum.cols, eps, kept ? keptScale(kept.rate) : 1],
    invocations: [sum.rows * team],
  });
  if (dGain) productColumnSum(device, dNormed, sum, scales, dGain);
  device.giveBack(scales);
  return { dx, dy };
}
