import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix, shapeOf } from "../gpu/tensor.ts";
import code from "./kmeans.wgsl" with { type: "text" };

const label = "kernels/clustering/kmeans.wgsl";
const assignKernel: Kernel = {
  label,
  code,
  entry: "kmeans_assign",
  inputs: 2,
  outputs: 0,
  flats: ["read_write", "read_write"],
  workgroup: [8],
};
const sumKernel: Kernel = {
  label,
  code,
  entry: "kmeans_sum",
  inputs: 2,
  outputs: 0,
  flats: ["read", "read", "read_write"],
  workgroup: [16, 8],
};
const meanKernel: Kernel = {
  label,
  code,
  entry: "kmeans_mean",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read"],
  workgroup: [16, 8],
};
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

/**
 * Nearest centre of every point, of equally near ones the first. points (N, D), centres (K, D) -> labels u32 (N),
 * squared distances f32 (N).
 */
export function kmeansAssign(
  device: Device,
  points: Matrix,
  centres: Matrix,
  labels: Flat,
  distances: Flat,
): void {
  expectSameWidth("kmeansAssign()", points, centres);
  expectLength("kmeansAssign() labels", labels, "u32", points.rows);
  expectLength("kmeansAssign() distances", distances, "f32", points.rows);
  device.run(assignKernel, {
    inputs: [points, centres],
    flats: [labels, distances],
    u32: [points.rows, groupsOf(points.cols), centres.rows],
    invocations: [Math.ceil(points.rows / 4)],
  });
}

/**
 * First half of an update: sums of point - centre over the members of each cluster, set or added to, so that points may
 * come in several matrices. points (N, D), centres (K, D), offsets u32 (K + 1) and members u32 (rows of points, by
 * cluster) -> drift f32 (K, D), rows of whole groups of four.
 */
export function kmeansSum(
  device: Device,
  points: Matrix,
  centres: Matrix,
  offsets: Flat,
  members: Flat,
  drift: Flat,
  add: boolean,
): void {
  expectSameWidth("kmeansSum()", points, centres);
  const groups = groupsOf(points.cols);
  expectLength("kmeansSum() offsets", offsets, "u32", centres.rows + 1);
  expectLength("kmeansSum() members", members, "u32", points.rows);
  expectLength("kmeansSum() drift", drift, "f32", centres.rows * groups * 4);
  device.run(sumKernel, {
    inputs: [points, centres],
    flats: [offsets, members, drift],
    u32: [centres.rows, groups, Number(add)],
    invocations: [groups, centres.rows],
  });
}

/**
 * Second half of an update: means of the members; a cluster without any keeps its centre. centres (K, D), drift f32
 * (K, D) of {@link kmeansSum}, counts u32 (K) of members -> centres (K, D).
 */
export function kmeansMean(device: Device, centres: Matrix, drift: Flat, counts: Flat): Matrix {
  const groups = groupsOf(centres.cols);
  expectLength("kmeansMean() drift", drift, "f32", centres.rows * groups * 4);
  expectLength("kmeansMean() counts", counts, "u32", centres.rows);
  const means = device.matrix(centres.rows, centres.cols);
  device.run(meanKernel, {
    inputs: [centres],
    outputs: [means],
    flats: [drift, counts],
    u32: [centres.rows, groups, 0],
    invocations: [groups, centres.rows],
  });
  return means;
}

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

function expectSameWidth(what: string, points: Matrix, centres: Matrix): void {
  if (points.cols === centres.cols) return;
  throw new RangeError(
    `${what} of points ${shapeOf(points)} and centres ${
      shapeOf(centres)
    }: expected the same number of columns`,
  );
}
