import type { Device } from "../../kernels/gpu/device.ts";
import { type KmeansEnd, KmeansRounds } from "../../kernels/clustering/update.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import { recordRounds } from "./looks.ts";
import type { Assignment, PointBlocks } from "./point_blocks.ts";

/** Where Lloyd's algorithm ended. */
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
 * when no label changes, or as the options say; labels always belong to the centres returned. The rounds stay on the
 * device ({@link KmeansRounds}); how many run between two looks changes nothing in the result.
 */
export async function lloyd(
  device: Device,
  blocks: PointBlocks,
  start: Float32Array,
  codewords: number,
  end: KmeansEnd,
  onIteration?: (iteration: number, inertia: number) => void,
): Promise<LloydResult> {
  const rounds = new KmeansRounds(device, blocks, codewords, blocks.blockRows, end);
  try {
    return await device.scope(async () => {
      let centres = device.matrix(codewords, start.length / codewords);
      device.write(centres, start);
      let iterations = 0;
      let told = 0;
      const record = () => {
        const next = rounds.round(centres);
        device.release(centres);
        centres = next;
      };
      // So many rounds hold the end whatever is read: a rehearsal reads zeros.
      await recordRounds(end.iterations + 1, record, async () => {
        const [control, inertias] = await device.read(rounds.control, rounds.inertias);
        const [done, updates] = new Uint32Array(control.buffer, control.byteOffset, 2);
        iterations = updates;
        for (; told < iterations + Number(done !== 0); told++) onIteration?.(told, inertias[told]);
        return done !== 0;
      });
      return { ...await resultOf(device, rounds, centres), iterations };
    });
  } finally {
    rounds.destroy();
  }
}

async function resultOf(device: Device, { labels, distances }: KmeansRounds, centres: Matrix) {
  const [bits, squared, values] = await device.read(labels, distances, centres);
  return {
    centres: values.slice(),
    labels: new Uint32Array(bits.slice().buffer),
    distances: squared.slice(),
    inertia: squared.reduce((sum, distance) => sum + distance, 0),
  };
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
