import { PhiloxStream } from "./philox.ts";

/** A permutation of 0 … n-1 that depends on n, seed and epoch alone. Source: Fisher and Yates. */
export function shuffledOrder(n: number, seed: number, epoch: number): Uint32Array {
  const random = new PhiloxStream(seed, "shuffle", epoch);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let last = n - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
