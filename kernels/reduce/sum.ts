import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./sum.wgsl" with { type: "text" };

const shared = { label: "kernels/reduce/sum.wgsl", code, inputs: 0, outputs: 0, workgroup: [64] } as const;
const slotKernel: Kernel = { ...shared, entry: "sum_to_slot", flats: ["read", "read_write"] };
const controlKernel: Kernel = { ...shared, entry: "sum_to_control", flats: ["read", "read_write", "read"] };

/**
 * Sum of the first `length` elements of x f32, in a fixed order, into one element of `out`. `slot` is its index, or a
 * u32 flat whose first element is: then the same dispatch can write a log of many steps.
 */
export function sumFlat(device: Device, x: Flat, length: number, out: Flat, slot: Flat | number): void {
  expectLength("sumFlat() x", x, "f32", length);
  if (typeof slot === "number") {
    expectLength("sumFlat() out", out, "f32", slot + 1);
    device.run(slotKernel, { flats: [x, out], u32: [length, slot], invocations: [64] });
    return;
  }
  expectLength("sumFlat() slot", slot, "u32", 1);
  device.run(controlKernel, { flats: [x, out, slot], u32: [length, 0], invocations: [64] });
}
