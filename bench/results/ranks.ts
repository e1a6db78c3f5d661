import { join } from "node:path";
import type { Prediction } from "../../eval/evaluate.ts";
import type { Rank } from "../../eval/metrics.ts";
import type { Difference } from "../pages/page.ts";

/** Ranks of an evaluation's folder by SID, as published figures count: where items share one, a hit on any counts. */
export async function ranksOf(folder: string): Promise<Rank[]> {
  const lines = (await Deno.readTextFile(join(folder, "predictions.jsonl"))).trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as Prediction).rank);
}

/** A paired difference as a cell of a page. */
export function differenceCell(
  { difference, ci95: [low, high] }: { difference: number; ci95: readonly [number, number] },
): Difference {
  return { difference, low, high };
}
