import { direction, type MetricDifference, type SummaryDifference, verdictK } from "../../eval/compare.ts";

/** A difference with its sign. */
export const signed = (value: number) => (value < 0 ? "-" : "+") + Math.abs(value).toFixed(4);
/** Ends of its interval. */
export const interval = ({ ci95: [low, high] }: MetricDifference) => `${signed(low)} to ${signed(high)}`;
/** How likely chance is to give as much. */
export const pValue = ({ p }: MetricDifference) => p < 0.001 ? "<0.001" : p.toFixed(3);

/** What the difference in NDCG at {@link verdictK} says in a sentence. */
export function verdictOf({ ndcg, users }: SummaryDifference, baseline: string, other: string): string {
  const k = verdictK(Object.keys(ndcg).map(Number));
  const found = ndcg[k];
  const figures = `NDCG@${k} ${signed(found.difference)} (95 % ${interval(found)}, p ${
    pValue(found)
  }, ${users} users)`;
  const is = direction(found);
  if (is === "none") return `${figures}: no difference between ${other} and ${baseline} is shown`;
  return `${figures}: ${other} is ${is} than ${baseline}`;
}
