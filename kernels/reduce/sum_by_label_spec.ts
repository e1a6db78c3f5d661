import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { sumByLabel } from "./sum_by_label.ts";

interface Attributes {
  labels: number[];
  labelCount: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "sumByLabel",
  cases: () =>
    [[1, 1], [5, 2], [700, 3], [64, 7]].map(([length, labelCount]) => ({
      name: `${length} elements, ${labelCount} labels`,
      inputs: { x: flatOf("f32", Array.from({ length }, noise(length))) },
      // One label more than is counted, and one of them that no element has.
      attributes: { labels: Array.from({ length }, (_, i) => (i * i) % (labelCount + 1)), labelCount },
    })),
  reference: ({ x }, { labels, labelCount }) => {
    const out = new Float64Array(2 * labelCount).fill(1);
    labels.forEach((label, i) => {
      if (label < labelCount) out[labelCount + label] += x.data[i];
    });
    return { out: flatOf("f32", out) };
  },
  forward: (device, { x }, { labels, labelCount }) => {
    const out = device.createFlat("f32", new Float32Array(2 * labelCount).fill(1));
    const row = device.createFlat("u32", Uint32Array.of(1));
    sumByLabel(device, x as Flat, device.createFlat("u32", Uint32Array.from(labels)), labelCount, out, row);
    return { out };
  },
};
