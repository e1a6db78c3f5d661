import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { adamw8bit, type Adamw8bitState, MOMENT_BLOCK, momentCodebook } from "./adamw_8bit.ts";
import { dynamicMap } from "./dynamic_map.ts";

interface Attributes {
  length: number;
  weightDecay: number;
  hyper: number[];
  clip: number[];
}

const SETTINGS = { beta1: 0.9, beta2: 0.95, eps: 1e-8 };

export const spec: KernelSpec<Attributes> = {
  name: "adamw8bit",
  cases: () =>
    [
      { length: 700, weightDecay: 0.3, hyper: [0.1, 2, 3, 0], clip: [2, 0.5, 0, 0] },
      { length: 1, weightDecay: 0, hyper: [0.01, 1, 1, 0], clip: [2, 1, 0, 0] },
      { length: 256, weightDecay: 0, hyper: [0.01, 10, 20, 0], clip: [2, 1, 0, 0] },
      { length: 9, weightDecay: 0.1, hyper: [0.01, 10, 20, 0], clip: [NaN, 0, 1, 0] },
    ].map((attributes) => {
      const { length } = attributes;
      const next = noise(length);
      const words = Math.ceil(length / 4), blocks = Math.ceil(length / MOMENT_BLOCK);
      const random = (size: number, scale: number) =>
        flatOf("f32", Array.from({ length: size }, () => scale * next()));
      // The last block has neither gradients nor moments.
      const isEmpty = (at: number) => length > 512 && at >= 512;
      const gradients = random(length, 0.1);
      return {
        name: `${length}, clip ${attributes.clip}`,
        inputs: {
          values: random(length, 1),
          gradients: { ...gradients, data: gradients.data.map((value, i) => isEmpty(i) ? 0 : value) },
          m: flatOf("u32", Array.from({ length: words }, () => Math.abs(next()) * 2 ** 28 >>> 0)),
          v: flatOf("u32", Array.from({ length: words }, () => Math.abs(next()) * 2 ** 28 >>> 0)),
          scales: flatOf("f32", Array.from({ length: 2 * blocks }, (_, i) => i >= 4 ? 0 : 0.01 * (i + 1))),
        },
        attributes,
      };
    }),
  reference: (inputs, { length, weightDecay, hyper: [rate, correction1, correction2], clip }) => {
    const { beta1, beta2, eps } = SETTINGS;
    const [values, m, v, scales] = ["values", "m", "v", "scales"].map((name) => inputs[name].data.slice());
    const maps = [dynamicMap(true), dynamicMap(false)];
    const decode = (words: Float64Array, at: number, map: Float32Array) =>
      map[words[at >> 2] >>> 8 * (at % 4) & 255];
    const encode = (x: number, map: Float32Array) => {
      let best = 0;
      map.forEach((value, code) => best = Math.abs(value - x) < Math.abs(map[best] - x) ? code : best);
      return best;
    };
    const next = [m.map(() => 0), v.map(() => 0)];
    for (let block = 0; block * MOMENT_BLOCK < length && clip[2] === 0; block++) {
      const [begin, end] = [block * MOMENT_BLOCK, Math.min(length, (block + 1) * MOMENT_BLOCK)];
      const moments = Array.from({ length: end - begin }, (_, i) => {
        const g = inputs.gradients.data[begin + i] * clip[1];
        return [
          beta1 * scales[2 * block] * decode(m, begin + i, maps[0]) + (1 - beta1) * g,
          beta2 * scales[2 * block + 1] * decode(v, begin + i, maps[1]) + (1 - beta2) * g * g,
        ];
      });
      for (const k of [0, 1]) {
        scales[2 * block + k] = Math.max(...moments.map((pair) => Math.abs(pair[k])));
      }
      for (let i = begin; i < end; i++) {
        const pair = moments[i - begin];
        values[i] *= 1 - rate * weightDecay;
        values[i] -= rate * pair[0] * correction1 / (Math.sqrt(pair[1] * correction2) + eps);
        for (const k of [0, 1]) {
          const scale = scales[2 * block + k];
          let code = encode(scale > 0 ? pair[k] / scale : 0, maps[k]);
          if (k === 1 && pair[1] > 0) code = Math.max(1, code);
          next[k][i >> 2] += code * 2 ** (8 * (i % 4));
        }
      }
      // The kernel codes whole words, with moments of 0 past the end.
      for (let i = length; i % 4 > 0 && end === length; i++) {
        next[0][i >> 2] += maps[0].indexOf(0) * 2 ** (8 * (i % 4));
      }
    }
    const [mCodes, vCodes] = clip[2] === 0 ? next : [m, v];
    const of = (kind: "f32" | "u32", data: Float64Array) => ({ kind, rows: 1, cols: data.length, data });
    return {
      values: of("f32", values),
      m: of("u32", mCodes),
      v: of("u32", vCodes),
      scales: of("f32", scales),
    };
  },
  forward: (device, inputs, { length, weightDecay, hyper, clip }) => {
    const { gradients: _, ...outputs } = inputs as unknown as Adamw8bitState;
    const codebook = device.createFlat("f32", momentCodebook());
    const flat = (values: number[]): Flat => device.createFlat("f32", Float32Array.from(values));
    const options = { ...SETTINGS, weightDecay, length };
    adamw8bit(device, inputs as unknown as Adamw8bitState, codebook, flat(hyper), flat(clip), options);
    return { ...outputs };
  },
};
