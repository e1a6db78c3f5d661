import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { rowSlices } from "../reduce/row_slices.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./accumulate.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/optimizer/accumulate.wgsl",
  code,
  entry: "accumulate",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read_write"],
  workgroup: [64],
};

/** sum f32 (N) += x f32 (N), in place: gradients of several micro batches. */
export function accumulate(device: Device, x: Flat, sum: Flat): void {
  expectLength("accumulate() x", x, "f32", sum.length);
  expectLength("accumulate() sum", sum, "f32", x.length);
  const groups = Math.ceil(x.length / 4);
  const sums = rowSlices(device, sum, groups, 4);
  rowSlices(device, x, groups, 4).forEach(({ flat, rows }, i) => {
    device.run(kernel, { flats: [flat, sums[i].flat], u32: [rows], invocations: [rows] });
  });
}
