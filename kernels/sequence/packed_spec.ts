import { flatOf } from "../gpu/spec.ts";

/** Layout of packed sequences of these lengths for tests, with rows at the end that belong to none. */
export function packedLayout(lengths: readonly number[], unused: number) {
  const positions: number[] = [];
  const viewers: number[] = [];
  for (const length of lengths) {
    const end = positions.length + length;
    for (let at = 0; at < length; at++) {
      viewers.push(positions.length, end);
      positions.push(at);
    }
  }
  for (let i = 0; i < unused; i++) {
    positions.push(0);
    viewers.push(0, 0);
  }
  const rows = positions.length;
  return { rows, positions: flatOf("u32", positions), viewers: flatOf("u32", viewers) };
}
