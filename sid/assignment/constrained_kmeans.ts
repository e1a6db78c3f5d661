import type { Device } from "../../kernels/gpu/device.ts";
import { assignWithinBounds, type SizeBounds } from "./bounded.ts";
import type { Embeddings } from "../embeddings.ts";
import { means } from "../kmeans/start.ts";
import { PointBlocks } from "../kmeans/point_blocks.ts";
import { subtractCodewords } from "../kmeans/residuals.ts";

/** When the algorithm ends, and what it keeps to. */
export interface ConstrainedKmeansOptions extends SizeBounds {
  /** Most updates of the centres. */
  iterations: number;
  /** Ends when an iteration lowers the sum of squared distances by less than this share of it. */
  tolerance: number;
}

/** Where it ended. */
export interface ConstrainedKmeansResult {
  /** (K, D), means of their points. */
  centres: Float32Array<ArrayBuffer>;
  /** (N): every cluster has between `min` and `max` points. */
  labels: Uint32Array<ArrayBuffer>;
  /** Sum of squared distances to the centres. */
  inertia: number;
  /** Updates of the centres. */
  iterations: number;
}

/**
 * k-means of points (N, D) whose clusters keep to size bounds, from given centres (K, D): Lloyd's algorithm with the
 * assignment at the least total cost that the bounds allow (Bradley, Bennett and Demiriz 2000, Constrained k-means
 * clustering), found exactly by {@link assignWithinBounds}. The sum of squared distances never rises.
 */
export async function constrainedKmeans(
  device: Device,
  points: Embeddings,
  start: Float32Array,
  { min, max, iterations, tolerance }: ConstrainedKmeansOptions,
  onIteration?: (iteration: number, inertia: number) => void,
): Promise<ConstrainedKmeansResult> {
  const { rows, dim } = points;
  const clusters = start.length / dim;
  const blocks = new PointBlocks(device, rows, dim, clusters);
  const costs = new Float32Array(rows * clusters);
  try {
    blocks.write(points.data);
    let centres: Float32Array<ArrayBuffer> = start.slice();
    let prices: Float64Array | undefined;
    let before: ConstrainedKmeansResult | undefined;
    for (let iteration = 1;; iteration++) {
      for await (const { first, values } of blocks.relativeDistances(centres)) {
        costs.set(values, first * clusters);
      }
      const assigned = assignWithinBounds(costs, clusters, { min, max }, prices);
      const { labels } = assigned;
      prices = assigned.prices;
      centres = means(points, labels, clusters);
      const inertia = squaredError(points, centres, labels);
      onIteration?.(iteration, inertia);
      if (before && inertia >= before.inertia) return before;
      const result = { centres, labels, inertia, iterations: iteration };
      if (iteration === iterations || before && before.inertia - inertia < tolerance * before.inertia) {
        return result;
      }
      before = result;
    }
  } finally {
    blocks.destroy();
  }
}

function squaredError({ data, dim }: Embeddings, centres: Float32Array, labels: Uint32Array): number {
  const left = data.slice();
  subtractCodewords(left, centres, labels, dim);
  return left.reduce((sum, value) => sum + value * value, 0);
}
