import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
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

interface Attributes {
  length: number;
  slot: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "sumFlat",
  cases: () =>
    [[5, 0, 0], [5, 5, 2], [700, 650, 1], [64, 64, 3]].map(([size, length, slot]) => ({
      name: `${length} of ${size}`,
      inputs: { x: flatOf("f32", Array.from({ length: size }, noise(size))) },
      attributes: { length, slot },
    })),
  reference: ({ x }, { length, slot }) => {
    const out = new Float64Array(4);
    for (let i = 0; i < length; i++) out[slot] += x.data[i];
    return { bySlot: flatOf("f32", out), byControl: flatOf("f32", out) };
  },
  forward: (device, { x }, { length, slot }) => {
    const bySlot = device.createFlat("f32", 4);
    const byControl = device.createFlat("f32", 4);
    const control = device.createFlat("u32", Uint32Array.of(slot));
    sumFlat(device, x as Flat, length, bySlot, slot);
    sumFlat(device, x as Flat, length, byControl, control);
    return { bySlot, byControl };
  },
};
