import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { noiseMatrix, type TunableOperation } from "../gpu/workload.ts";
import code from "./log_sum_exp.wgsl" with { type: "text" };
import subgroupsCode from "./log_sum_exp_subgroups.wgsl" with { type: "text" };
import { ROW_CLASSES, type RowShape, type RowVariant } from "./rows/variant.ts";
import subgroups from "./rows/subgroups.wgsl" with { type: "text" };

const common = { label: "kernels/reduce/log_sum_exp.wgsl", code, outputs: 1, flats: [] };
const forwardKernel: Kernel = { ...common, entry: "log_sum_exp", inputs: 2, workgroup: [8] };
const backwardKernel: Kernel = { ...common, entry: "log_sum_exp_backward", inputs: 3, workgroup: [16, 8] };

const TEAM = 128;
const teamKernel: Kernel = {
  ...forwardKernel,
  label: "kernels/reduce/log_sum_exp_subgroups.wgsl",
  code: subgroups + subgroupsCode,
  entry: "log_sum_exp_subgroups",
  needs: "subgroups",
  workgroup: [TEAM],
  constants: { TEAM },
};

/** Log-sums of rows: an invocation a row, or a workgroup that sums through subgroups. */
export const LOG_SUM: TunableOperation<RowVariant & { readonly kernel: Kernel }, RowShape> = {
  name: "log-sum",
  variants: [
    { name: "invocation", kernel: forwardKernel, team: 1 },
    { name: "subgroups", needs: ["subgroups"], kernel: teamKernel, team: TEAM },
  ],
  defaultOf: () => LOG_SUM.variants[0],
  ...ROW_CLASSES,
  workload(device, { rows, cols }) {
    const x = noiseMatrix(device, rows, cols);
    return { call: () => logSumExp(device, x), flats: [] };
  },
};

/**
 * Logarithm of the sum of exponentials of each row. x (R, V), V from 1 -> (R, 1). `before` (R, 1) is that of other
 * columns of the same rows, which are then counted in: so a vocabulary can come in chunks.
 */
export function logSumExp(device: Device, x: Matrix, before?: Matrix): Matrix {
  if (before) expectShape("logSumExp() before", before, x.rows, 1);
  const y = device.matrix(x.rows, 1, "f32");
  const { kernel, team } = device.variants.of(LOG_SUM, x);
  device.run(kernel, {
    inputs: [x, before ?? x], // without a sum from before the second operand is bound but not read
    outputs: [y],
    u32: [x.rows, x.cols, Number(!!before)],
    invocations: [x.rows * team],
  });
  return y;
}

/** x (R, V), y (R, 1) of {@link logSumExp}, dy (R, 1) -> dx (R, V). */
export function logSumExpBackward(device: Device, x: Matrix, y: Matrix, dy: Matrix): Matrix {
  expectShape("logSumExpBackward() y", y, x.rows, 1);
  expectShape("logSumExpBackward() dy", dy, x.rows, 1);
  const dx = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, {
    inputs: [x, y, dy],
    outputs: [dx],
    u32: [x.rows, x.cols],
    invocations: [groupsOf(x.cols), x.rows],
  });
  return dx;
}
