import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { adamw, type AdamwState } from "./adamw.ts";

interface Attributes {
  length: number;
  decayLength: number;
  hyper: number[];
  clip: number[];
}

const SETTINGS = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.3 };

export const spec: KernelSpec<Attributes> = {
  name: "adamw",
  cases: () =>
    [
      { size: 12, length: 10, decayLength: 7, hyper: [0.1, 2, 3, 0.9], clip: [2, 0.5, 0, 0] },
      { size: 1, length: 1, decayLength: 1, hyper: [0.01, 1, 1, 0], clip: [2, 1, 0, 0] },
      { size: 700, length: 700, decayLength: 0, hyper: [0.01, 10, 20, 0.5], clip: [2, 1, 0, 0] },
      { size: 9, length: 9, decayLength: 9, hyper: [0.01, 10, 20, 0.5], clip: [NaN, 0, 1, 0] },
    ].map(({ size, ...attributes }) => {
      const next = noise(size);
      const random = () => flatOf("f32", Array.from({ length: size }, next));
      const v = random();
      return {
        name: `${attributes.length} of ${size}, clip ${attributes.clip}`,
        inputs: {
          values: random(),
          gradients: random(),
          m: random(),
          v: { ...v, data: v.data.map(Math.abs) },
          ema: random(),
        },
        attributes,
      };
    }),
  reference: (inputs, { length, decayLength, hyper: [rate, correction1, correction2, d], clip }) => {
    const { beta1, beta2, eps, weightDecay } = SETTINGS;
    const [values, m, v, ema] = ["values", "m", "v", "ema"].map((name) => inputs[name].data.slice());
    for (let i = 0; i < length && clip[2] === 0; i++) {
      const g = inputs.gradients.data[i] * clip[1];
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      values[i] *= 1 - rate * (i < decayLength ? weightDecay : 0);
      values[i] -= rate * (m[i] * correction1) / (Math.sqrt(v[i] * correction2) + eps);
      ema[i] = d * ema[i] + (1 - d) * values[i];
    }
    const outputs = { values, m, v, ema, plainValues: values };
    return Object.fromEntries(
      Object.entries(outputs).map((
        [name, data],
      ) => [name, { kind: "f32", rows: 1, cols: data.length, data }]),
    );
  },
  forward: (device, inputs, { length, decayLength, hyper, clip }) => {
    const state = inputs as unknown as Required<AdamwState>;
    const copyOf = (flat: Flat) => {
      const copy = device.createFlat("f32", flat.length);
      device.copy(flat, copy);
      return copy;
    };
    const plain = {
      ...state,
      values: copyOf(state.values),
      m: copyOf(state.m),
      v: copyOf(state.v),
      ema: undefined,
    };
    const hyperFlat = device.createFlat("f32", Float32Array.from(hyper));
    const clipFlat = device.createFlat("f32", Float32Array.from(clip));
    const options = { ...SETTINGS, length, decayLength };
    adamw(device, state, hyperFlat, clipFlat, options);
    adamw(device, plain, hyperFlat, clipFlat, options);
    return { values: state.values, m: state.m, v: state.v, ema: state.ema, plainValues: plain.values };
  },
};
