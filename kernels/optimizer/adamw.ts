import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { rowSlices } from "../reduce/row_slices.ts";
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
