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
const guardedKernel: Kernel = {
  ...assignKernel,
  entry: "kmeans_assign_unless_done",
  flats: ["read_write", "read_write", "read"],
};
const POINTS = 16;

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

/** Where and whether {@link assignToTurned} writes. */
export interface AssignOptions {
  /** Element of labels and distances that the first point has. */
  first?: number;
  /** u32: nothing is written where its first element is not 0. */
  control?: Flat;
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
  { first = 0, control }: AssignOptions = {},
): void {
  expectSameWidth("assignToTurned()", points, centres);
  expectLength("assignToTurned() labels", labels, "u32", first + points.rows);
  expectLength("assignToTurned() distances", distances, "f32", first + points.rows);
  device.run(control ? guardedKernel : assignKernel, {
    inputs: [points, products, squares, centres],
    flats: control ? [labels, distances, control] : [labels, distances],
    u32: [points.rows, groupsOf(points.cols), centres.rows, first],
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
