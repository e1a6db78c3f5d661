import { PhiloxStream } from "../../base/philox.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import type { Embeddings } from "../embeddings.ts";

/** Items in the plane. */
export interface ItemMap {
  /** Item numbers, ascending. */
  items: number[];
  /** Coordinates along the first principal component, in units of the vectors, as `items`. */
  x: number[];
  /** Along the second. */
  y: number[];
  /** Share of the variance that each axis shows. */
  explained: [number, number];
}

const POWER_ITERATIONS = 60;

/**
 * Items on the two directions in which their vectors vary most (principal components by power iteration with
 * deflation). Of more than `most` items a sample, drawn by the seed. The sign of an axis has no meaning.
 */
export function mapItems({ data, rows, dim }: Embeddings, most: number, seed = 42): ItemMap {
  const items = rows <= most
    ? Array.from({ length: rows }, (_, item) => item)
    : [...shuffledOrder(rows, seed, 0).subarray(0, most)].sort((a, b) => a - b);
  const centred = centre(data, items, dim);
  const variance = centred.reduce((sum, value) => sum + value * value, 0);
  const axes = [0, 1].map((axis) => {
    const coordinates = principalCoordinates(centred, items.length, dim, seed, axis);
    return { coordinates, share: variance === 0 ? 0 : squaredLength(coordinates) / variance };
  });
  const round = (value: number) => Number(value.toPrecision(4));
  return {
    items,
    x: Array.from(axes[0].coordinates, round),
    y: Array.from(axes[1].coordinates, round),
    explained: [axes[0].share, axes[1].share],
  };
}

function centre(data: Float32Array, items: readonly number[], dim: number): Float64Array {
  const mean = new Float64Array(dim);
  for (const item of items) {
    for (let d = 0; d < dim; d++) mean[d] += data[item * dim + d] / items.length;
  }
  const centred = new Float64Array(items.length * dim);
  items.forEach((item, row) => {
    for (let d = 0; d < dim; d++) centred[row * dim + d] = data[item * dim + d] - mean[d];
  });
  return centred;
}

/** Coordinates (N) on the direction of most variance, which is taken out of the points (N, D). */
function principalCoordinates(
  points: Float64Array,
  rows: number,
  dim: number,
  seed: number,
  axis: number,
): Float64Array {
  const random = new PhiloxStream(seed, "item map", axis);
  let direction = Float64Array.from({ length: dim }, () => random.normal());
  const coordinates = new Float64Array(rows);
  const project = () => {
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += points[row * dim + d] * direction[d];
      coordinates[row] = sum;
    }
  };
  for (let iteration = 0; iteration < POWER_ITERATIONS; iteration++) {
    project();
    const next = new Float64Array(dim);
    for (let row = 0; row < rows; row++) {
      for (let d = 0; d < dim; d++) next[d] += coordinates[row] * points[row * dim + d];
    }
    const length = Math.sqrt(squaredLength(next));
    // Nothing is left to vary: every coordinate is 0.
    if (length === 0) return coordinates.fill(0);
    direction = next.map((value) => value / length);
  }
  project();
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dim; d++) points[row * dim + d] -= coordinates[row] * direction[d];
  }
  return coordinates;
}

function squaredLength(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
