import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { rowSlices } from "../reduce/slices.ts";
import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./adamw.wgsl" with { type: "text" };

const shared = {
  label: "kernels/optimizer/adamw.wgsl",
  code,
  inputs: 0,
  outputs: 0,
  workgroup: [64],
} as const;
const flats = ["read_write", "read_write", "read_write", "read", "read", "read"] as const;
const kernel: Kernel = { ...shared, entry: "adamw", flats };
const averageKernel: Kernel = { ...shared, entry: "adamw_average", flats: [...flats, "read_write"] };

/** Arrays of one optimizer, f32, all as long as the parameters. */
export interface AdamwState {
  values: Flat;
  gradients: Flat;
  /** Running mean of the gradients. */
  m: Flat;
  /** Running mean of their squares. */
  v: Flat;
  /** Running mean of the values (EMA); absent where none is kept. */
  ema?: Flat;
}

/** Settings that stay the same for all steps. */
export interface AdamwOptions {
  beta1: number;
  beta2: number;
  eps: number;
  /** Decoupled: values shrink by learning rate * weightDecay. */
  weightDecay: number;
  /** The first so many elements decay, the rest do not. */
  decayLength: number;
  /** Number of parameters. */
  length: number;
}

/**
 * One step of AdamW in place. hyper f32 (4): learning rate, 1 / (1 - beta1^t), 1 / (1 - beta2^t), decay d of the
 * running mean ema = d ema + (1 - d) values. clip f32 (4): result of `gradNorm`; gradients are scaled by its second
 * element, and where its third says that they are not finite, nothing changes.
 */
export function adamw(
  device: Device,
  { values, gradients, m, v, ema }: AdamwState,
  hyper: Flat,
  clip: Flat,
  { beta1, beta2, eps, weightDecay, decayLength, length }: AdamwOptions,
): void {
  const state = [values, m, v, gradients, ...(ema ? [ema] : [])];
  for (const flat of state) expectLength("adamw() state", flat, "f32", length);
  expectLength("adamw() hyper", hyper, "f32", 4);
  expectLength("adamw() clip", clip, "f32", 4);
  const slices = state.map((flat) => rowSlices(device, flat, Math.ceil(length / 4), 4));
  slices[0].forEach(({ first, rows }, i) => {
    const [valuePart, mPart, vPart, gradientPart, ...emaPart] = slices.map((parts) => parts[i].flat);
    const elements = Math.min(rows * 4, length - first * 4);
    device.run(ema ? averageKernel : kernel, {
      flats: [valuePart, mPart, vPart, gradientPart, hyper, clip, ...emaPart],
      u32: [elements, Math.max(0, Math.min(elements, decayLength - first * 4))],
      f32: [beta1, beta2, 1 - beta1, 1 - beta2, eps, weightDecay],
      invocations: [rows],
    });
  });
}

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
