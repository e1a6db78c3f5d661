import type { Embeddings } from "../embeddings.ts";
import type { SidProgress } from "../method.ts";
import type { Level } from "./residuals.ts";

/** A clustering of points. */
export interface Clustering {
  /** (K, D). */
  centres: Float32Array<ArrayBuffer>;
  /** (N). */
  labels: Uint32Array;
  /** Sum of squared distances to the centres. */
  inertia: number;
}

/** Settings of repeated starts. */
export interface StartOptions {
  /** Levels, L. */
  levels: number;
  /** Clusterings of a level. */
  starts: number;
  /** Most updates of the centres of one. */
  iterations: number;
}

/**
 * Clusters a level's points `starts` times and keeps the clustering of least error. `cluster` is given a number that no other
 * start of any level has, and a function to report its iterations to.
 */
export async function bestOfStarts(
  { rows, dim }: Embeddings,
  level: number,
  { levels, starts, iterations }: StartOptions,
  cluster: (index: number, onIteration: (iteration: number, inertia: number) => void) => Promise<Clustering>,
  onProgress?: (progress: SidProgress) => void,
): Promise<Level> {
  let best: Clustering | undefined;
  for (let start = 0; start < starts; start++) {
    const index = level * starts + start;
    const found = await cluster(index, (iteration, inertia) =>
      onProgress?.({
        done: index * iterations + iteration,
        total: levels * starts * iterations,
        state: `level ${level + 1}, error ${(inertia / (rows * dim)).toExponential(2)}`,
      }));
    if (!best || found.inertia < best.inertia) best = found;
  }
  const { centres, labels } = best!;
  return { codebook: centres, labels };
}
