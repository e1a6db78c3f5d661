import type { Device } from "../../kernels/gpu/device.ts";
import type { Assignment, PointBlocks } from "./point_blocks.ts";

/** When Lloyd's algorithm ends. */
export interface LloydOptions {
  /** Most updates of the centres. */
  iterations: number;
  /** Ends when an iteration lowers the sum of squared distances by less than this share of it. */
  tolerance: number;
}

/** Where it ended. */
export interface LloydResult extends Assignment {
  /** (K, D). */
  centres: Float32Array<ArrayBuffer>;
  /** Sum of squared distances to the nearest centres. */
  inertia: number;
  /** Updates of the centres. */
  iterations: number;
}

/**
 * k-means from given centres (K, D). A cluster that loses all points takes the point farthest from its centre. Ends
 * when no label changes, or as the options say; labels always belong to the centres returned.
 */
export function lloyd(
  device: Device,
  blocks: PointBlocks,
  start: Float32Array,
  codewords: number,
  { iterations, tolerance }: LloydOptions,
  onIteration?: (iteration: number, inertia: number) => void,
): Promise<LloydResult> {
  return device.scope(async () => {
    let centres = device.matrix(codewords, start.length / codewords);
    device.write(centres, start);
    let used: Uint32Array | undefined; // labels that the centres are the means of
    let before = Infinity;
    for (let iteration = 0;; iteration++) {
      const { labels, distances } = await blocks.assign(centres);
      const inertia = distances.reduce((sum, distance) => sum + distance, 0);
      onIteration?.(iteration, inertia);
      const settled = used?.every((label, i) => label === labels[i]) || before - inertia < tolerance * before;
      if (iteration === iterations || (iteration > 0 && settled)) {
        const [values] = await device.read(centres);
        return { centres: values.slice(), labels, distances, inertia, iterations: iteration };
      }
      before = inertia;
      used = fillEmpty(labels, distances, codewords);
      const next = blocks.mean(centres, used);
      device.release(centres);
      centres = next;
    }
  });
}

/**
 * Labels in which every cluster without points took the point farthest from its centre, the first of equally far ones.
 * Points on their centre and points alone in their cluster stay, so where all points are alike clusters stay empty.
 */
export function fillEmpty(labels: Uint32Array, distances: Float32Array, codewords: number): Uint32Array {
  const counts = new Uint32Array(codewords);
  for (const label of labels) counts[label]++;
  const empty = [...counts.keys()].filter((cluster) => counts[cluster] === 0);
  if (empty.length === 0) return labels;
  const filled = labels.slice();
  const farthestFirst = [...distances.keys()].sort((a, b) => distances[b] - distances[a] || a - b);
  let next = 0;
  for (const point of farthestFirst) {
    if (next === empty.length || distances[point] === 0) break;
    if (counts[filled[point]] === 1) continue;
    counts[filled[point]]--;
    filled[point] = empty[next++];
  }
  return filled;
}
