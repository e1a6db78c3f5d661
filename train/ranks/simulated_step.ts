import { PhiloxStream } from "../../base/philox.ts";
import type { ClusterRates, StepShape } from "./cost_model.ts";

/**
 * Mean seconds of `steps` steps, rank by rank: compute times are log-normal, and so are those of messages, of which a rank
 * sends one to each of the others in an exchange. What `predictStep()` says is compared with it.
 */
export function simulateSteps(
  shape: StepShape,
  ranks: number,
  rates: ClusterRates,
  { steps, seed }: { steps: number; seed: number },
): number {
  const random = new PhiloxStream(seed, "stragglers", ranks);
  let sum = 0;
  for (let step = 0; step < steps; step++) sum += simulateStep(shape, ranks, rates, random);
  return sum / steps;
}

function simulateStep(
  { compute, backward, buckets, shared = 0 }: StepShape,
  ranks: number,
  { link, copy, additions, latency, spread }: ClusterRates,
  random: PhiloxStream,
): number {
  const sigma = Math.sqrt(Math.log(1 + spread ** 2));
  const varied = (seconds: number, sigma: number) =>
    seconds * Math.exp(sigma * normal(random) - sigma ** 2 / 2);
  const factors = Array.from({ length: ranks }, () => varied(1, sigma));
  if (ranks === 1) return compute * factors[0];
  let free = new Array<number>(ranks).fill(0);
  buckets.forEach((numbers, i) => {
    const slice = numbers / ranks;
    // Each rank copies its part of the gradient to its host once it is known, and the one before is done.
    free = free.map((at, rank) =>
      Math.max(at, factors[rank] * (compute - backward + backward * (i + 1) / buckets.length)) +
      4 * numbers / copy
    );
    exchange(slice);
    free = free.map((at) => at + slice * (ranks - 1) / additions);
    exchange(slice);
    free = free.map((at) => at + 4 * numbers / copy);
  });
  if (shared > 0) {
    free = free.map((at) => at + 4 * shared / ranks / copy);
    exchange(shared / ranks);
    free = free.map((at) => at + 4 * shared / copy);
  }
  return Math.max(...free);

  /** All meet, then each sends a slice to every other; it has all once the slowest of them has sent. */
  function exchange(slice: number): void {
    const met = Math.max(...free) + Math.ceil(Math.log2(ranks)) * latency;
    const seconds = (ranks - 1) * (4 * slice / link + latency);
    // Messages vary one by one, so that their sum varies less.
    free.fill(met + Math.max(...free.map(() => varied(seconds, sigma / Math.sqrt(ranks - 1)))));
  }
}

/** A standard normal number (Box and Muller 1958). */
function normal(random: PhiloxStream): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}
