import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { runningAverage } from "./running_average.ts";

interface Attributes {
  decay: number;
  skipped: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "runningAverage",
  cases: () =>
    [
      { size: 1, decay: 0.5, skipped: 0 },
      { size: 301, decay: 0.9375, skipped: 0 },
      { size: 6, decay: 0.5, skipped: 1 },
    ].map(({ size, ...attributes }) => {
      const next = noise(size);
      const random = () => flatOf("f32", Array.from({ length: size }, next));
      return {
        name: `${size}, skipped ${attributes.skipped}`,
        inputs: { average: random(), values: random() },
        attributes,
      };
    }),
  reference: ({ average, values }, { decay, skipped }) => ({
    average: {
      ...average,
      data: average.data.map((old, i) => skipped ? old : decay * old + (1 - decay) * values.data[i]),
    },
  }),
  forward: (device, { average, values }, { decay, skipped }) => {
    const hyper = device.createFlat("f32", Float32Array.of(0, 0, 0, decay));
    const clip = device.createFlat("f32", Float32Array.of(1, 1, skipped, 0));
    runningAverage(device, average as Flat, values as Flat, hyper, clip);
    return { average };
  },
};
