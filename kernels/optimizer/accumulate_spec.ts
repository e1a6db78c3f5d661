import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { accumulate } from "./accumulate.ts";

export const spec: KernelSpec = {
  name: "accumulate",
  cases: () =>
    [1, 7, 64, 1000].map((length) => {
      const next = noise(length);
      const random = () => flatOf("f32", Array.from({ length }, next));
      return { name: `${length}`, inputs: { x: random(), sum: random() }, attributes: undefined };
    }),
  reference: ({ x, sum }) => ({ sum: { ...sum, data: sum.data.map((value, i) => value + x.data[i]) } }),
  forward(device, { x, sum }) {
    accumulate(device, x as Flat, sum as Flat);
    return { sum };
  },
};
