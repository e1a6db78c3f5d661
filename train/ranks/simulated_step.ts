import { PhiloxStream } from "../../base/philox.ts";
import type { ClusterRates, StepShape } from "./cost_model.ts";

/**
 * Mean seconds of `steps` steps, rank by rank and message by message: compute times are log-normal, and so are those of
 * messages, with the same spread. What `predictStep()` says is compared with it.
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
  { compute, backward, gradient, buckets }: StepShape,
  ranks: number,
  { link, copy, additions, latency, spread }: ClusterRates,
  random: PhiloxStream,
): number {
  const sigma = Math.sqrt(Math.log(1 + spread ** 2));
  const varied = (seconds: number) => seconds * Math.exp(sigma * random.normal() - sigma ** 2 / 2);
  const factors = Array.from({ length: ranks }, () => varied(1));
  if (ranks === 1) return compute * factors[0];
  const numbers = gradient / buckets;
  const slice = numbers / ranks;
  let free = new Array<number>(ranks).fill(0);
  for (let i = 1; i <= buckets; i++) {
    // Each rank copies its part of the gradient to its host once it is known, and the one before is done.
    free = free.map((at, rank) =>
      Math.max(at, factors[rank] * (compute - backward + backward * i / buckets)) + 4 * numbers / copy
    );
    exchange();
    free = free.map((at) => at + slice * (ranks - 1) / additions);
    exchange();
    free = free.map((at) => at + 4 * numbers / copy);
  }
  return Math.max(...free);

  /** All meet, then each sends a slice to every other, in rounds; a round ends when both of its messages are there. */
  function exchange(): void {
    const met = Math.max(...free) + Math.ceil(Math.log2(ranks)) * latency;
    free.fill(met);
    for (let round = 1; round < ranks; round++) {
      const sent = free.map((at) => at + varied(4 * slice / link + latency));
      free = free.map((_, rank) => Math.max(sent[rank], sent[(rank + round) % ranks]));
    }
  }
}
