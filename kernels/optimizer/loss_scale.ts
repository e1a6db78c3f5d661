import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./loss_scale.wgsl" with { type: "text" };

const shared = { label: "kernels/optimizer/loss_scale.wgsl", code, inputs: 0, outputs: 0 } as const;
const weightsKernel: Kernel = {
  ...shared,
  entry: "loss_scale_weights",
  flats: ["read", "read", "read_write"],
  workgroup: [64],
};
const updateKernel: Kernel = {
  ...shared,
  entry: "loss_scale_update",
  flats: ["read_write", "read_write"],
  workgroup: [1],
};

/** How the scale of a loss moves; see {@link lossScaleUpdate}. */
export interface LossScaleOptions {
  /** Finite steps in a row after which the scale doubles. */
  interval: number;
  /** Where halving ends. Scales are powers of two, so that scaling rounds nothing. */
  least: number;
  /** Where doubling ends. */
  most: number;
}

/** state f32 (4), weights f32 (n) -> scaled f32 (n): weights times the scale, the first element of the state. */
export function lossScaleWeights(device: Device, state: Flat, weights: Flat, scaled: Flat): void {
  expectLength("lossScaleWeights() state", state, "f32", 4);
  expectLength("lossScaleWeights() weights", weights, "f32", 0);
  expectLength("lossScaleWeights() scaled", scaled, "f32", weights.length);
  device.run(weightsKernel, {
    flats: [state, weights, scaled],
    u32: [weights.length],
    invocations: [weights.length],
  });
}

/**
 * Undoes the scale and moves it on (Micikevicius et al. 2018). norm f32 (4): result of `gradNorm` on scaled gradients,
 * without clipping -> norm of the gradients themselves, factor that undoes the scale and clips to `maxNorm` (0: never),
 * 1 if they were not finite, and the scale that they had. state f32 (4): scale, finite steps in a row, skipped steps, 0
 * -> that of the next step: half the scale after a step that was not finite, twice after `interval` that were.
 */
export function lossScaleUpdate(
  device: Device,
  state: Flat,
  norm: Flat,
  maxNorm: number,
  { interval, least, most }: LossScaleOptions,
): void {
  expectLength("lossScaleUpdate() state", state, "f32", 4);
  expectLength("lossScaleUpdate() norm", norm, "f32", 4);
  device.run(updateKernel, {
    flats: [state, norm],
    f32: [maxNorm, interval, least, most],
    invocations: [1],
  });
}
