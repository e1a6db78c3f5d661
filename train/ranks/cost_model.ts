/** What a step of data-parallel training is made of. */
export interface StepShape {
  /** Seconds a rank takes for forward and backward of its micro batches. */
  compute: number;
  /** Those of them that are the backward pass of the last micro batch, in which gradients become known. */
  backward: number;
  /** Numbers of the parts of the gradient, in the order in which they become known, one after the other. */
  buckets: readonly number[];
  /** Numbers of the weights that ranks move a share of each, and then collect (ZeRO, stage 1). Default: none. */
  shared?: number;
}

/** What ranks are connected by. */
export interface ClusterRates {
  /** Bytes a second that a rank sends while it receives as many. */
  link: number;
  /** Bytes a second between a device and its host, each way. */
  copy: number;
  /** Additions of numbers a second that a rank's host makes. */
  additions: number;
  /** Seconds that a message takes beside its bytes. */
  latency: number;
  /** Standard deviation of a rank's compute time, relative to its mean. */
  spread: number;
}

/** Seconds of a step, by what they are for. */
export interface StepTime {
  /** Forward and backward, in the mean of ranks. */
  compute: number;
  /** Waiting for the slowest rank. */
  straggling: number;
  /** Summing gradients after the backward pass of the slowest rank has ended. */
  exposed: number;
  /** Collecting weights of which each rank moved a share. */
  collecting: number;
  /** Summing gradients in all, hidden or not. */
  reduce: number;
  total: number;
  /** Share of compute in the total: weak scaling, as each rank has the same work. */
  efficiency: number;
}

/** Seconds that a part of the gradient takes: to the host, exchanged, summed, collected and back. */
export function bucketSeconds(numbers: number, ranks: number, rates: ClusterRates): number {
  if (ranks === 1) return 0;
  const others = (ranks - 1) / ranks;
  const messages = 2 * (ranks - 1 + Math.ceil(Math.log2(ranks)));
  return 2 * 4 * numbers / rates.copy + 2 * 4 * numbers * others / rates.link +
    numbers * others / rates.additions + messages * rates.latency;
}

/** Seconds that weights take of which each rank moved a share: it to the host, sent to the others, all of them back. */
export function collectSeconds(numbers: number, ranks: number, rates: ClusterRates): number {
  if (ranks === 1) return 0;
  const share = 4 * numbers / ranks;
  const messages = ranks - 1 + Math.ceil(Math.log2(ranks));
  return (share + 4 * numbers) / rates.copy + share * (ranks - 1) / rates.link + messages * rates.latency;
}

/** Bytes that weights, gradients and AdamW's two moments take on each device; `shared`: a share of the moments (ZeRO, stage 1). */
export function stateBytes(numbers: number, ranks: number, shared: boolean): number {
  return 4 * numbers * (2 + 2 / (shared ? ranks : 1));
}

/** What a step is expected to take on `ranks` ranks that have equal work. */
export function predictStep(shape: StepShape, ranks: number, rates: ClusterRates): StepTime {
  const { compute, backward, buckets, shared = 0 } = shape;
  const factor = 1 + rates.spread * meanOfMaximum(ranks);
  const slowest = factor * compute;
  let end = 0;
  let reduce = 0;
  buckets.forEach((numbers, i) => {
    const known = factor * (compute - backward + backward * (i + 1) / buckets.length);
    const seconds = bucketSeconds(numbers, ranks, rates);
    end = Math.max(end, known) + seconds;
    reduce += seconds;
  });
  const collecting = collectSeconds(shared, ranks, rates);
  const total = ranks === 1 ? compute : end + collecting;
  return {
    compute,
    straggling: ranks === 1 ? 0 : slowest - compute,
    exposed: ranks === 1 ? 0 : end - slowest,
    collecting,
    reduce,
    total,
    efficiency: compute / total,
  };
}

/** Mean of the largest of `count` standard normal numbers. */
export function meanOfMaximum(count: number): number {
  // The integral of 1 - F(x)^n above 0 and of F(x)^n below it.
  const STEP = 0.001;
  let mean = 0;
  let below = 0; // F(x)
  for (let x = -9; x < 9; x += STEP) {
    const more = STEP * Math.exp(-((x + STEP / 2) ** 2) / 2) / Math.sqrt(2 * Math.PI);
    const power = Math.min(1, below + more / 2) ** count;
    below += more;
    mean += STEP * (x < 0 ? -power : 1 - power);
  }
  return mean;
}

/** The fewest micro batches a rank, a power of two, with which a step of `shape`, of one, reaches `efficiency`; undefined: none up to 1024. */
export function microBatchesFor(
  efficiency: number,
  shape: StepShape,
  ranks: number,
  rates: ClusterRates,
): number | undefined {
  for (let count = 1; count <= 1024; count *= 2) {
    const compute = shape.compute * count;
    // Times of micro batches vary one by one.
    const spread = rates.spread / Math.sqrt(count);
    if (predictStep({ ...shape, compute }, ranks, { ...rates, spread }).efficiency >= efficiency) {
      return count;
    }
  }
  return undefined;
}
