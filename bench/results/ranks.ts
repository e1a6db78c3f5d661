import { join } from "node:path";
import type { Prediction } from "../../eval/evaluate.ts";
import { userMeans, type UserRanks } from "../../eval/compare.ts";
import { hitsAtK, ndcgAtK, type Rank } from "../../eval/metrics.ts";
import type { Difference } from "../pages/page.ts";

/** Ranks of an evaluation's folder by SID, as published figures count: where items share one, a hit on any counts. */
export async function ranksOf(folder: string): Promise<Rank[]> {
  return (await predictionsOf(folder)).map(({ rank }) => rank);
}

/** Hits and gains of each user among the first ten of an evaluation, by item: where n share the SID that is hit, 1 / n. */
export async function firstTenOf(folder: string): Promise<{ hr10: Float64Array; ndcg10: Float64Array }> {
  const one = [await userRanksOf(folder)];
  return { hr10: userMeans(one, hitsAtK, 10), ndcg10: userMeans(one, ndcgAtK, 10) };
}

/** What an evaluation's folder says of each user. */
export async function userRanksOf(folder: string): Promise<UserRanks> {
  const predictions = await predictionsOf(folder);
  return {
    ranks: predictions.map(({ rank }) => rank),
    sharing: predictions.map(({ sharing }) => sharing ?? 1),
  };
}

async function predictionsOf(folder: string): Promise<Prediction[]> {
  const lines = (await Deno.readTextFile(join(folder, "predictions.jsonl"))).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

/** A paired difference as a cell of a page. */
export function differenceCell(
  { difference, ci95: [low, high] }: { difference: number; ci95: readonly [number, number] },
): Difference {
  return { difference, low, high };
}
