import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import { rowSlices } from "../reduce/row_slices.ts";
import code from "./running_average.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/moments/running_average.wgsl",
  code,
  entry: "running_average",
  inputs: 0,
  outputs: 0,
  flats: ["read_write", "read", "read", "read"],
  workgroup: [64],
};

/**
 * Moves a running mean of values (EMA) on, in place: average f32 (n) = d average + (1 - d) values (n). hyper f32 (4): d is its
 * fourth element. clip f32 (4): result of `gradNorm`; where its third element says that gradients were not finite, nothing
 * changes.
 */
export function runningAverage(device: Device, average: Flat, values: Flat, hyper: Flat, clip: Flat): void {
  const { length } = average;
  expectLength("runningAverage() values", values, "f32", length);
  expectLength("runningAverage() hyper", hyper, "f32", 4);
  expectLength("runningAverage() clip", clip, "f32", 4);
  const [to, from] = [average, values].map((flat) => rowSlices(device, flat, Math.ceil(length / 4), 4));
  to.forEach(({ flat, first, rows }, i) => {
    device.run(kernel, {
      flats: [flat, from[i].flat, hyper, clip],
      u32: [Math.min(rows * 4, length - first * 4)],
      invocations: [rows],
    });
  });
}
