import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { GRAD_NORM_SCRATCH, gradNorm } from "./grad_norm.ts";

interface Attributes {
  maxNorm: number;
  /** Elements of scratch. */
  scratch: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "gradNorm",
  cases: () =>
    [
      { lengths: [1], maxNorm: 0 },
      { lengths: [9], maxNorm: 0.5 },
      { lengths: [8999], maxNorm: 1e6 },
      { lengths: [5000, 3, 801], maxNorm: 1 },
      { lengths: [40001, 3, 801], maxNorm: 1, scratch: 8192 },
      { lengths: [], maxNorm: 1 },
    ].map(({ lengths, maxNorm, scratch = GRAD_NORM_SCRATCH }) => ({
      name: `${lengths.join(" + ") || "none"}, at most ${maxNorm}, scratch ${scratch}`,
      inputs: Object.fromEntries(
        lengths.map((length, i) => [`g${i}`, flatOf("f32", Array.from({ length }, noise(length)))]),
      ),
      attributes: { maxNorm, scratch },
    })),
  reference: (inputs, { maxNorm }) => {
    const squares = Object.values(inputs).flatMap(({ data }) => [...data]).reduce(
      (sum, g) => sum + g ** 2,
      0,
    );
    const norm = Math.sqrt(squares);
    const scale = maxNorm === 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
    return { result: { kind: "f32", rows: 1, cols: 4, data: Float64Array.of(norm, scale, 0, 0) } };
  },
  forward: (device, inputs, { maxNorm, scratch: length }) => {
    // Stale scratch must not count.
    const scratch = device.createFlat("f32", new Float32Array(length).fill(7));
    const result = device.createFlat("f32", 4);
    gradNorm(device, Object.values(inputs) as Flat[], scratch, result, maxNorm);
    return { result };
  },
};
