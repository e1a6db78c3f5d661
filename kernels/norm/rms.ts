import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { productColumnSum } from "../reduce/column_sum.ts";
import { noiseMatrix, type TunableOperation } from "../gpu/workload.ts";
import { ROW_CLASSES, type RowShape, type RowVariant } from "../reduce/rows/variant.ts";
import subgroups from "../reduce/rows/subgroups.wgsl" with { type: "text" };
import code from "./rms.wgsl" with { type: "text" };
import subgroupsCode from "./rms_subgroups.wgsl" with { type: "text" };

const common = { label: "kernels/norm/rms.wgsl", code, outputs: 1, staged: true, workgroup: [64] as const };
const forwardKernel: Kernel = { ...common, entry: "rms_norm", inputs: 2, flats: [] };
const backwardKernel: Kernel = { ...common, entry: "rms_norm_backward", inputs: 3, flats: ["read_write"] };

const TEAM = 32;
const team = {
  label: "kernels/norm/rms_subgroups.wgsl",
  code: subgroups + subgroupsCode,
  needs: "subgroups",
  workgroup: [TEAM],
  constants: { TEAM },
} as const;

interface NormVariant extends RowVariant {
  readonly forward: Kernel;
  readonly backward: Kernel;
}

/** RMSNorm: an invocation a row, or a workgroup that sums through subgroups. Timed forward. */
export const NORM: TunableOperation<NormVariant, RowShape> = {
  name: "norm",
  variants: [
    { name: "invocation", forward: forwardKernel, backward: backwardKernel, team: 1 },
    {
      name: "subgroups",
      needs: ["subgroups"],
      forward: { ...forwardKernel, ...team, entry: "rms_norm_subgroups" },
      backward: { ...backwardKernel, ...team, entry: "rms_norm_backward_subgroups" },
      team: TEAM,
    },
  ],
  defaultOf: () => NORM.variants[0],
  ...ROW_CLASSES,
  workload(device, { rows, cols }) {
    const x = noiseMatrix(device, rows, cols);
    const gain = noiseMatrix(device, 1, cols);
    return { call: () => rmsNorm(device, x, gain, 1e-6), flats: [] };
  },
};

/** RMSNorm (Zhang and Sennrich 2019). x (N, C), gain (1, C) -> y (N, C). */
export function rmsNorm(device: Device, x: Matrix, gain: Matrix, eps: number): Matrix {
  const y = device.matrix(x.rows, x.cols);
  const { forward, team } = device.variants.of(NORM, x);
  device.run(forward, { inputs: [x, gain], outputs: [y], ...dispatchOf(x, gain, eps, team) });
  return y;
}

/**
 * x (N, C), gain, dy (N, C) -> dx (N, C). The gain's gradient is added to `dGain` (C, padded to whole groups of four),
 * where there is one.
 */
export function rmsNormBackward(
  device: Device,
  x: Matrix,
  gain: Matrix,
  dy: Matrix,
  dGain: Flat | undefined,
  eps: number,
): Matrix {
  expectShape("rmsNormBackward() dy", dy, x.rows, x.cols);
  const dx = device.matrix(x.rows, x.cols);
  const scales = device.borrow(Math.max(1, x.rows));
  const { backward, team } = device.variants.of(NORM, x);
  device.run(backward, {
    inputs: [x, gain, dy],
    outputs: [dx],
    flats: [scales],
    ...dispatchOf(x, gain, eps, team),
  });
  if (dGain) productColumnSum(device, dy, x, scales, dGain);
  device.giveBack(scales);
  return dx;
}

function dispatchOf(x: Matrix, gain: Matrix, eps: number, team: number) {
  expectShape("rmsNorm() gain", gain, 1, x.cols);
  return { u32: [x.rows, groupsOf(x.cols)], f32: [x.cols, eps], invocations: [x.rows * team] as const };
}
