import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix, shapeOf } from "../gpu/tensor.ts";
import code from "./assign.wgsl" with { type: "text" };

const label = "kernels/clustering/assign.wgsl";
const turnKernel: Kernel = {
  label,
  code,
  entry: "kmeans_turn",
  inputs: 1,
  outputs: 2,
  flats: [],
  workgroup: [8],
};
const assignKernel: Kernel = {
  label,
  code,
  entry: "kmeans_assign",
  inputs: 4,
  outputs: 0,
  flats: ["read_write", "read_write"],
  workgroup: [8],
};
const boundKernel: Kernel = {
  ...assignKernel,
  entry: "kmeans_bound",
  flats: ["read_write", "read_write", "read_write", "read", "read"],
};
const wantedKernel: Kernel = {
  ...assignKernel,
  entry: "kmeans_assign_wanted",
  flats: ["read_write", "read_write", "read_write", "read", "read", "read"],
};
const POINTS = 8;

/** Centres as {@link assignToTurned} wants them, made once for all matrices of points. */
export interface TurnedCentres {
  /** (K, D). */
  centres: Matrix;
  /** -2 (c - o)^T (D, K), o the first centre. */
  products: Matrix;
  /** |c - o|^2 (1, K). */
  squares: Matrix;
}

/** Turns centres (K, D). Its matrices belong to the open scope. */
export function turnCentres(device: Device, centres: Matrix): TurnedCentres {
  const products = device.matrix(centres.cols, centres.rows, "f32");
  const squares = device.matrix(1, centres.rows, "f32");
  device.run(turnKernel, {
    inputs: [centres],
    outputs: [products, squares],
    u32: [centres.rows, groupsOf(centres.cols)],
    invocations: [groupsOf(centres.rows)],
  });
  return { centres, products, squares };
}

/** Gives the matrices of {@link turnCentres} back to the pool. */
export function releaseTurned(device: Device, { products, squares }: TurnedCentres): void {
  device.release(products);
  device.release(squares);
}

/**
 * Nearest centre of every point, of equally near ones the first; points that lie as near to two centres as float32 tells
 * may take either. points (N, D) -> labels u32 (N), squared distances f32 (N), both from `first` on.
 */
export function assignToTurned(
  device: Device,
  points: Matrix,
  { centres, products, squares }: TurnedCentres,
  labels: Flat,
  distances: Flat,
  first = 0,
): void {
  expectSameWidth("assignToTurned()", points, centres);
  expectLength("assignToTurned() labels", labels, "u32", first + points.rows);
  expectLength("assignToTurned() distances", distances, "f32", first + points.rows);
  device.run(assignKernel, {
    inputs: [points, products, squares, centres],
    flats: [labels, distances],
    u32: [points.rows, groupsOf(points.cols), centres.rows, first, 0],
    invocations: [Math.ceil(points.rows / POINTS)],
  });
}

/** What rounds of k-means know of all points (N), block by block of rows. */
export interface KnownNearest {
  /** u32 (N). */
  labels: Flat;
  /** f32 (N), squared, to the centres of the labels. */
  distances: Flat;
  /** f32 (N): no other centre is nearer than that, -1 where that is not enough to know the nearest. */
  lower: Flat;
  /** u32 (2): not 0 where nothing is to be done; 0 in the first round, of which nothing is known. */
  control: Flat;
}

/** Where a matrix of points has its place among the blocks. */
export interface PointBlockPlace {
  /** Its first row among all points. */
  first: number;
  /** Its number. */
  block: number;
}

/**
 * Distances of points (rows, D) to the centres of their labels, and which of them certainly are the nearest still (Hamerly
 * 2010, Making k-means even faster). `moves` (4): how far the centre that moved most and the next one moved, as f32, and
 * the label of the first, as u32.
 */
export function boundPoints(
  device: Device,
  points: Matrix,
  { centres, products, squares }: TurnedCentres,
  { labels, distances, lower, control }: KnownNearest,
  moves: Flat,
  { first, block }: PointBlockPlace,
): void {
  device.run(boundKernel, {
    inputs: [points, products, squares, centres],
    flats: [labels, distances, lower, control, moves],
    u32: [points.rows, groupsOf(points.cols), centres.rows, first, block],
    invocations: [Math.ceil(points.rows / 4)],
  });
}

/**
 * {@link assignToTurned} of the rows in `wanted` u32 (N), those of the block from `first` on, `counts` u32 (blocks) of
 * them; with the lower bounds that the next round starts from.
 */
export function assignWanted(
  device: Device,
  points: Matrix,
  { centres, products, squares }: TurnedCentres,
  { labels, distances, lower, control }: KnownNearest,
  wanted: { rows: Flat; counts: Flat },
  { first, block }: PointBlockPlace,
): void {
  device.run(wantedKernel, {
    inputs: [points, products, squares, centres],
    flats: [labels, distances, lower, control, wanted.rows, wanted.counts],
    u32: [points.rows, groupsOf(points.cols), centres.rows, first, block],
    invocations: [Math.ceil(points.rows / POINTS)],
  });
}

/** {@link assignToTurned} of centres (K, D) that nothing else is assigned to. */
export function kmeansAssign(
  device: Device,
  points: Matrix,
  centres: Matrix,
  labels: Flat,
  distances: Flat,
): void {
  const turned = turnCentres(device, centres);
  assignToTurned(device, points, turned, labels, distances);
  releaseTurned(device, turned);
}

function expectSameWidth(what: string, points: Matrix, centres: Matrix): void {
  if (points.cols === centres.cols) return;
  throw new RangeError(
    `${what} of points ${shapeOf(points)} and centres ${
      shapeOf(centres)
    }: expected the same number of columns`,
  );
}
