import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./sum_by_label.wgsl" with { type: "text" };

const WORKGROUP = 64;
const kernel: Kernel = {
  label: "kernels/reduce/sum_by_label.wgsl",
  code,
  entry: "sum_by_label",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read", "read_write", "read"],
  workgroup: [WORKGROUP],
};

/**
 * Adds the sum of the elements of x f32 (N) with label l, in a fixed order, to out[row * labelCount + l], for l from 0
 * to `labelCount - 1`; other labels are left out. labels u32 (N); row u32: its first element, so that the same dispatch
 * can write a log of many steps.
 */
export function sumByLabel(
  device: Device,
  x: Flat,
  labels: Flat,
  labelCount: number,
  out: Flat,
  row: Flat,
): void {
  expectLength("sumByLabel() labels", labels, "u32", x.length);
  expectLength("sumByLabel() out", out, "f32", labelCount);
  expectLength("sumByLabel() row", row, "u32", 1);
  device.run(kernel, {
    flats: [x, labels, out, row],
    u32: [x.length, labelCount],
    invocations: [WORKGROUP * labelCount],
  });
}
