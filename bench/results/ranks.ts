import { join } from "node:path";
import type { Prediction } from "../../eval/evaluate.ts";
import type { Rank } from "../../eval/metrics.ts";

/** Ranks of an evaluation's folder by SID, as published figures count: where items share one, a hit on any counts. */
export async function ranksOf(folder: string): Promise<Rank[]> {
  const lines = (await Deno.readTextFile(join(folder, "predictions.jsonl"))).trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as Prediction).rank);
}

/** A share as in papers: .1234. */
export function digits(value: number): string {
  return value.toFixed(4).replace(/^0/, "");
}

/** A difference of shares: +.0012. */
export function signedDigits(value: number): string {
  return (value < 0 ? "-" : "+") + digits(Math.abs(value));
}
