import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { rowSlices } from "./slices.ts";
import { flatOf, type KernelSpec, noise } from "./spec.ts";
import { expectLength, type Flat } from "./tensor.ts";
import code from "./grad_norm.wgsl" with { type: "text" };

const shared = {
  label: "kernels/grad_norm.wgsl",
  code,
  inputs: 0,
  outputs: 0,
  flats: ["read", "read_write"],
  workgroup: [64],
} as const;
const partsKernel: Kernel = { ...shared, entry: "grad_norm_parts" };
const finishKernel: Kernel = { ...shared, entry: "grad_norm_finish" };

/** Elements of scratch that {@link gradNorm} asks for. More let more invocations share the first pass. */
export const GRAD_NORM_SCRATCH = 1024;
const MOST_LANES = 65536;

/**
 * Euclidean norm of the first `length` gradients and the factor that brings it down to `maxNorm` (0: never clip), as
 * torch.nn.utils.clip_grad_norm_. gradients f32, scratch f32 (>= 1024) -> result f32 (4): norm, clip scale min(1,
 * maxNorm / (norm + 1e-6)), 1 if the norm is NaN or infinite (the scale is 0 then), 0.
 */
export function gradNorm(
  device: Device,
  gradients: Flat,
  length: number,
  scratch: Flat,
  result: Flat,
  maxNorm: number,
): void {
  expectLength("gradNorm() gradients", gradients, "f32", length);
  expectLength("gradNorm() scratch", scratch, "f32", GRAD_NORM_SCRATCH);
  expectLength("gradNorm() result", result, "f32", 4);
  const lanes = Math.min(scratch.length, MOST_LANES);
  const slices = rowSlices(device, gradients, Math.ceil(length / 4), 4);
  for (const slice of slices) {
    const elements = Math.min(slice.rows * 4, length - slice.first * 4);
    device.run(partsKernel, {
      flats: [slice.flat, scratch],
      u32: [elements, lanes, Number(slice.first > 0)],
      invocations: [lanes],
    });
  }
  const used = slices.length === 0 ? 0 : lanes;
  device.run(finishKernel, { flats: [scratch, result], u32: [used], f32: [maxNorm], invocations: [64] });
}

interface Attributes {
  length: number;
  maxNorm: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "gradNorm",
  cases: () =>
    [[1, 1, 0], [12, 9, 0.5], [9000, 8999, 1e6], [5000, 5000, 1], [8, 0, 1]].map((
      [size, length, maxNorm],
    ) => ({
      name: `${length} of ${size}, at most ${maxNorm}`,
      inputs: { gradients: flatOf("f32", Array.from({ length: size }, noise(size))) },
      attributes: { length, maxNorm },
    })),
  reference: ({ gradients }, { length, maxNorm }) => {
    let squares = 0;
    for (let i = 0; i < length; i++) squares += gradients.data[i] ** 2;
    const norm = Math.sqrt(squares);
    const scale = maxNorm === 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
    return { result: { kind: "f32", rows: 1, cols: 4, data: Float64Array.of(norm, scale, 0, 0) } };
  },
  forward: (device, { gradients }, { length, maxNorm }) => {
    // Stale scratch must not count.
    const scratch = device.createFlat("f32", new Float32Array(GRAD_NORM_SCRATCH).fill(7));
    const result = device.createFlat("f32", 4);
    gradNorm(device, gradients as Flat, length, scratch, result, maxNorm);
    return { result };
  },
};
