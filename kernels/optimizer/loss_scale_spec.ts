import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { type LossScaleOptions, lossScaleUpdate, lossScaleWeights } from "./loss_scale.ts";

interface Attributes {
  maxNorm: number;
}

const OPTIONS: LossScaleOptions = { interval: 3, least: 2, most: 1024 };

export const spec: KernelSpec<Attributes> = {
  name: "lossScale",
  cases: () =>
    [
      { what: "finite", state: [256, 0, 5], norm: [512, 1, 0, 0], maxNorm: 1, weights: 5 },
      { what: "grows", state: [256, 2, 0], norm: [640, 1, 0, 0], maxNorm: 0, weights: 70 },
      { what: "at the top", state: [1024, 2, 0], norm: [100, 1, 0, 0], maxNorm: 1, weights: 1 },
      { what: "overflows", state: [256, 2, 1], norm: [7, 0, 1, 0], maxNorm: 1, weights: 64 },
      { what: "at the bottom", state: [2, 2, 1], norm: [7, 0, 1, 0], maxNorm: 1, weights: 3 },
    ].map(({ what, state, norm, maxNorm, weights }) => ({
      name: what,
      inputs: {
        state: flatOf("f32", [...state, 0]),
        norm: flatOf("f32", norm),
        weights: flatOf("f32", Array.from({ length: weights }, noise(weights))),
      },
      attributes: { maxNorm },
    })),
  reference: ({ state, norm, weights }, { maxNorm }) => {
    const [scale, good, skipped] = state.data;
    const [scaledLength, , bad] = norm.data;
    const length = scaledLength / scale;
    const clip = maxNorm === 0 ? 1 : Math.min(1, maxNorm / (length + 1e-6));
    const { interval, least, most } = OPTIONS;
    let next = [scale, good + 1, skipped];
    if (bad) next = [Math.max(scale / 2, least), 0, skipped + 1];
    else if (good + 1 >= interval) next = [Math.min(scale * 2, most), 0, skipped];
    return {
      norm: flatOf("f32", [length, bad ? 0 : clip / scale, bad, scale]),
      state: flatOf("f32", [...next, 0]),
      scaled: flatOf("f32", weights.data.map((weight) => weight * scale)),
    };
  },
  forward: (device, inputs, { maxNorm }) => {
    const { state, norm, weights } = inputs as Record<string, Flat>;
    const scaled = device.createFlat("f32", weights.length);
    lossScaleWeights(device, state, weights, scaled);
    lossScaleUpdate(device, state, norm, maxNorm, OPTIONS);
    return { norm, state, scaled };
  },
};
