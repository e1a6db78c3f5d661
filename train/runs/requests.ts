import type { RecommendOptions } from "../../eval/recommender.ts";

/** Throws {@link RangeError} unless there is something to list. */
export function checkK({ k }: RecommendOptions): void {
  if (Number.isInteger(k) && k >= 1) return;
  throw new RangeError(`Cannot list ${k} candidates: expected an integer of 1 or more`);
}
