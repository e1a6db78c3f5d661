/** A part of the costs of N points at K clusters. */
export interface CostBlock {
  /** First point. */
  first: number;
  /** (points of the block, K). */
  values: Float32Array;
}

/** Costs (N, K) in blocks of whole rows, in row order; may be asked for many times. */
export type Costs = () => AsyncIterable<CostBlock> | Iterable<CostBlock>;

/** How far {@link transportPrices} goes. */
export interface TransportOptions {
  /** Strength of the entropy, in units of the costs. */
  epsilon: number;
  /** Most rounds. */
  iterations: number;
  /** Ends when no cluster's mass is off its capacity by more than this share of it. */
  tolerance: number;
}

/** Capacities of K clusters that N points fill, as alike as can be: the first N mod K take one more. */
export function evenCapacities(points: number, clusters: number): Uint32Array<ArrayBuffer> {
  const even = Math.floor(points / clusters);
  return Uint32Array.from({ length: clusters }, (_, k) => even + Number(k < points % clusters));
}

/**
 * Entropic optimal transport of N points of mass 1 to clusters of given capacities (K), by Sinkhorn's algorithm in the
 * log domain, so that nothing under- or overflows however small epsilon is (Peyré and Cuturi, Computational Optimal
 * Transport, 2019, section 4.4). Keeps K numbers: the mass of point i at cluster k is proportional to
 * exp((prices[k] - cost[i, k]) / epsilon), points sum to 1 exactly.
 */
export async function transportPrices(
  costs: Costs,
  capacities: Uint32Array,
  { epsilon, iterations, tolerance }: TransportOptions,
): Promise<Float64Array<ArrayBuffer>> {
  const clusters = capacities.length;
  const prices = new Float64Array(clusters);
  const logMass = new Float64Array(clusters);
  const row = new Float64Array(clusters);
  for (let iteration = 0; iteration < iterations; iteration++) {
    // log-sum-exp by column of the rows' log-softmax, as largest term and sum of exponentials below it.
    const largest = new Float64Array(clusters).fill(-Infinity);
    const sums = new Float64Array(clusters);
    for await (const { values } of costs()) {
      for (let from = 0; from < values.length; from += clusters) {
        const total = logSumExp(values, from, prices, epsilon, row);
        for (let k = 0; k < clusters; k++) {
          const term = row[k] - total;
          if (term > largest[k]) {
            sums[k] = sums[k] * Math.exp(largest[k] - term) + 1;
            largest[k] = term;
          } else sums[k] += Math.exp(term - largest[k]);
        }
      }
    }
    let off = 0;
    for (let k = 0; k < clusters; k++) {
      logMass[k] = largest[k] + Math.log(sums[k]);
      off = Math.max(off, Math.abs(Math.expm1(logMass[k] - Math.log(capacities[k]))));
    }
    if (off <= tolerance) break;
    for (let k = 0; k < clusters; k++) prices[k] += epsilon * (Math.log(capacities[k]) - logMass[k]);
  }
  return prices;
}

/** log sum exp((price - cost) / epsilon) of one row; the exponents are left in `row`. */
function logSumExp(
  costs: Float32Array,
  from: number,
  prices: Float64Array,
  epsilon: number,
  row: Float64Array,
): number {
  let most = -Infinity;
  for (let k = 0; k < row.length; k++) {
    row[k] = (prices[k] - costs[from + k]) / epsilon;
    if (row[k] > most) most = row[k];
  }
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += Math.exp(row[k] - most);
  return most + Math.log(sum);
}

/**
 * Labels (N) that fill the clusters exactly: points take turns, those of each block in the order that `order` gives for
 * (points of the block, first point), and each takes the cluster of the most transport mass that still has room.
 */
export async function fillCapacities(
  costs: Costs,
  capacities: Uint32Array,
  prices: Float64Array,
  order: (count: number, first: number) => Uint32Array,
): Promise<Uint32Array<ArrayBuffer>> {
  const clusters = capacities.length;
  const room = capacities.slice();
  const labels = new Uint32Array(capacities.reduce((sum, capacity) => sum + capacity, 0));
  for await (const { first, values } of costs()) {
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

const SAMPLED_ROWS = 4000;

/**
 * Strength of the entropy that suits costs: a tenth of the median over points (about 4000 of them) of how much their
 * 90th percentile exceeds their least cost; 1 where costs do not differ.
 */
export async function suitedEpsilon(costs: Costs, points: number, clusters: number): Promise<number> {
  const step = Math.ceil(points / SAMPLED_ROWS);
  const spreads: number[] = [];
  for await (const { first, values } of costs()) {
    for (let i = 0; i < values.length / clusters; i++) {
      if ((first + i) % step !== 0) continue;
      const row = values.slice(i * clusters, (i + 1) * clusters).sort();
      spreads.push(row[Math.floor(0.9 * (clusters - 1))] - row[0]);
    }
  }
  spreads.sort((a, b) => a - b);
  return 0.1 * spreads[Math.floor(spreads.length / 2)] || 1;
}
