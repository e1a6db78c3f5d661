import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { sumFlat } from "./sum.ts";

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
