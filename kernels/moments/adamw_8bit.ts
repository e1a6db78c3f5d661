import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import type { AdamwOptions } from "../optimizer/adamw.ts";
import code from "./adamw_8bit.wgsl" with { type: "text" };
import { dynamicMap } from "./dynamic_map.ts";

const kernel: Kernel = {
  label: "kernels/moments/adamw_8bit.wgsl",
  code,
  entry: "adamw_8bit",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read", "read", "read", "read_write", "read_write", "read_write", "read_write"],
  workgroup: [64],
};

/** Numbers that share a scale. */
export const MOMENT_BLOCK = 256;

/** Arrays of one parameter of n numbers. */
export interface Adamw8bitState {
  /** f32 (n). */
  values: Flat;
  /** f32 (n). */
  gradients: Flat;
  /** Codes of the running mean of the gradients, four a word: u32 (n / 4). */
  m: Flat;
  /** Codes of the running mean of their squares. */
  v: Flat;
  /** Largest absolute m and v of each block of 256 numbers: f32 (2 a block). */
  scales: Flat;
}

/** What codes of first and second moments stand for, and the limits between them: f32 (1024) for {@link adamw8bit}. */
export function momentCodebook(): Float32Array<ArrayBuffer> {
  const maps = [dynamicMap(true), dynamicMap(false)];
  const limits = maps.map((map) => map.map((value, i) => i < 255 ? (value + map[i + 1]) / 2 : Infinity));
  return Float32Array.from([...maps, ...limits].flatMap((part) => [...part]));
}

/** The codes of moments of 0, four a word: those of first and of second moments. */
export const ZERO_MOMENTS: readonly [number, number] = [dynamicMap(true).indexOf(0) * 0x01010101, 0];

/**
 * One step of AdamW in place whose moments are codes of 8 bits, in blocks of 256 numbers (Dettmers et al. 2022). The step
 * itself uses moments in float32; where second moments are coded, those above 0 stay above 0. `codebook` is
 * {@link momentCodebook}, hyper and clip those of `adamw()`.
 */
export function adamw8bit(
  device: Device,
  { values, gradients, m, v, scales }: Adamw8bitState,
  codebook: Flat,
  hyper: Flat,
  clip: Flat,
  { beta1, beta2, eps, weightDecay, length }: Omit<AdamwOptions, "decayLength">,
): void {
  const groups = Math.ceil(length / 4), blocks = Math.ceil(length / MOMENT_BLOCK);
  expectLength("adamw8bit() values", values, "f32", length);
  expectLength("adamw8bit() gradients", gradients, "f32", length);
  expectLength("adamw8bit() m", m, "u32", groups);
  expectLength("adamw8bit() v", v, "u32", groups);
  expectLength("adamw8bit() scales", scales, "f32", 2 * blocks);
  expectLength("adamw8bit() codebook", codebook, "f32", 1024);
  expectLength("adamw8bit() hyper", hyper, "f32", 4);
  expectLength("adamw8bit() clip", clip, "f32", 4);
  device.run(kernel, {
    flats: [hyper, clip, gradients, codebook, values, m, v, scales],
    u32: [length],
    f32: [beta1, beta2, 1 - beta1, 1 - beta2, eps, weightDecay],
    invocations: [blocks],
  });
}
