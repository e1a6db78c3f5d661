import type { Device } from "../../kernels/gpu/device.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import { recordRounds } from "../kmeans/looks.ts";
import { type TransportEnd, TransportRounds } from "../../kernels/clustering/transport.ts";

/** A part of the costs of N points at K clusters. */
export interface CostBlock {
  /** First point. */
  first: number;
  /** (points of the block, K). */
  values: Float32Array;
}

/** Capacities of K clusters that N points fill, as alike as can be: the first N mod K take one more. */
export function evenCapacities(points: number, clusters: number): Uint32Array<ArrayBuffer> {
  const even = Math.floor(points / clusters);
  return Uint32Array.from({ length: clusters }, (_, k) => even + Number(k < points % clusters));
}

/** How far {@link transportPrices} goes. */
export interface TransportOptions extends TransportEnd {
  /** Most rounds. */
  iterations: number;
}

/**
 * Prices (K) of places in the clusters at which N points fill the capacities (K), by {@link TransportRounds}: they share
 * themselves out in proportion to exp((prices[k] - cost[i, k]) / epsilon). `costs` gives the costs (N, K) on the device as
 * often as it is asked, in blocks of `heights` rows, each needed until the next one is asked for.
 */
export async function transportPrices(
  device: Device,
  costs: () => Iterable<Matrix>,
  heights: readonly number[],
  capacities: Uint32Array,
  { iterations, ...end }: TransportOptions,
): Promise<Float64Array<ArrayBuffer>> {
  const rounds = new TransportRounds(device, heights, capacities, end);
  try {
    let prices = new Float64Array(capacities.length);
    await recordRounds(iterations, () => rounds.round(costs()), async () => {
      const [done, scalings] = await device.read(rounds.done, rounds.scalings);
      prices = Float64Array.from(scalings, (scaling) => scaling * end.epsilon);
      return done[0] !== 0; // bits of a u32
    });
    return prices;
  } finally {
    rounds.destroy();
  }
}

/**
 * Labels (N) that fill the clusters exactly: points take turns, those of each block in the order that `order` gives for
 * (points of the block, first point), and each takes the cluster of the most transport mass that still has room.
 */
export async function fillCapacities(
  costs: AsyncIterable<CostBlock> | Iterable<CostBlock>,
  capacities: Uint32Array,
  prices: Float64Array,
  order: (count: number, first: number) => Uint32Array,
): Promise<Uint32Array<ArrayBuffer>> {
  const clusters = capacities.length;
  const room = capacities.slice();
  const labels = new Uint32Array(capacities.reduce((sum, capacity) => sum + capacity, 0));
  for await (const { first, values } of costs) {
    for (const i of order(values.length / clusters, first)) {
      let best = -1;
      let most = -Infinity;
      for (let k = 0; k < clusters; k++) {
        const preference = prices[k] - values[i * clusters + k];
        if (room[k] > 0 && preference > most) {
          most = preference;
          best = k;
        }
      }
      room[best]--;
      labels[first + i] = best;
    }
  }
  return labels;
}

/**
 * Strength of the entropy that suits costs (N, K): a tenth of the median over points of how much their 90th percentile
 * exceeds their least cost; 1 where costs do not differ.
 */
export function suitedEpsilon(costs: Float32Array, clusters: number): number {
  const spreads = new Float64Array(costs.length / clusters).map((_, i) => {
    const row = costs.slice(i * clusters, (i + 1) * clusters).sort();
    return row[Math.floor(0.9 * (clusters - 1))] - row[0];
  }).sort();
  return 0.1 * spreads[Math.floor(spreads.length / 2)] || 1;
}
