import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./start.wgsl" with { type: "text" };

const label = "kernels/clustering/start.wgsl";
const pickKernel: Kernel = {
  label,
  code,
  entry: "kmeans_pick",
  inputs: 0,
  outputs: 0,
  flats: ["read_write", "read_write", "read"],
  workgroup: [64],
};
const distanceKernel: Kernel = {
  label,
  code,
  entry: "kmeans_distance",
  inputs: 1,
  outputs: 0,
  flats: ["read_write", "read_write"],
  workgroup: [8],
};

/** What {@link kmeansStart} works on. */
export interface KmeansStart {
  /** u32 (K + 1), first element 0: becomes K, then the rows of the chosen points. */
  chosen: Flat;
  /** f32 (N), all alike and above 0: becomes squared distances to the nearest chosen point. */
  weights: Flat;
  /** f32 (K), random numbers in [0, 1). */
  uniforms: Flat;
}

/**
 * k-means++ start (Arthur and Vassilvitskii 2007): chooses K points (N, D), each with probability proportional to its
 * squared distance to the nearest one chosen before. All rounds are recorded at once, nothing is read back between.
 */
export function kmeansStart(
  device: Device,
  points: Matrix,
  count: number,
  { chosen, weights, uniforms }: KmeansStart,
): void {
  expectLength("kmeansStart() chosen", chosen, "u32", count + 1);
  expectLength("kmeansStart() weights", weights, "f32", points.rows);
  expectLength("kmeansStart() uniforms", uniforms, "f32", count);
  const u32 = [points.rows, groupsOf(points.cols)];
  for (let round = 0; round < count; round++) {
    device.run(pickKernel, { flats: [chosen, weights, uniforms], u32, invocations: [64] });
    device.run(distanceKernel, {
      inputs: [points],
      flats: [chosen, weights],
      u32,
      invocations: [points.rows],
    });
  }
}
