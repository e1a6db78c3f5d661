import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { rowSlices } from "../reduce/row_slices.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import code from "./grad_norm.wgsl" with { type: "text" };

const shared = {
  label: "kernels/optimizer/grad_norm.wgsl",
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
const MANY = 2 ** 22, SCRATCH_OF_MANY = 8192;
const MOST_LANES = 65536;

/** Elements of scratch for so many gradients: of many, more invocations take half of the time of a CPU adapter. */
export function gradNormScratch(gradients: number): number {
  return gradients > MANY ? SCRATCH_OF_MANY : GRAD_NORM_SCRATCH;
}

/**
 * Euclidean norm of all gradients, in one array or several, and the factor that brings it down to `maxNorm` (0: never clip), as
 * torch.nn.utils.clip_grad_norm_. gradients f32, scratch f32 (>= 1024) -> result f32 (4): norm, clip scale min(1,
 * maxNorm / (norm + 1e-6)), 1 if the norm is NaN or infinite (the scale is 0 then), 0.
 */
export function gradNorm(
  device: Device,
  gradients: readonly Flat[],
  scratch: Flat,
  result: Flat,
  maxNorm: number,
): void {
  expectLength("gradNorm() scratch", scratch, "f32", GRAD_NORM_SCRATCH);
  expectLength("gradNorm() result", result, "f32", 4);
  const lanes = Math.min(scratch.length, MOST_LANES);
  let used = 0; // lanes that hold something, not what an earlier norm left
  for (const flat of gradients) {
    expectLength("gradNorm() gradients", flat, "f32", 0);
    for (const slice of rowSlices(device, flat, Math.ceil(flat.length / 4), 4)) {
      const elements = Math.min(slice.rows * 4, flat.length - slice.first * 4);
      device.run(partsKernel, {
        flats: [slice.flat, scratch],
        u32: [elements, lanes, Number(used > 0)],
        invocations: [lanes],
      });
      used = lanes;
    }
  }
  device.run(finishKernel, { flats: [scratch, result], u32: [used], f32: [maxNorm], invocations: [64] });
}
