import type { Criterion } from "./config.ts";
import type { CodedRows } from "./codes.ts";
import { codewordGini } from "../statistics.ts";

/** How good the codes of an epoch are. */
export interface QuantizerEvaluation {
  /** Epochs trained. */
  epoch: number;
  /** Mean loss of the steps of the last epoch. */
  loss: number;
  /** Mean squared reconstruction error of the items, in normalised units. */
  reconstruction: number;
  /** (items - distinct code paths) / items. */
  collisionRate: number;
  /** Gini coefficient of code use, mean over levels: 0 even. */
  gini: number;
  /** Share of the codewords in use, by level. */
  usage: number[];
  /** The same of items that training did not see; collisions count those with any item. */
  unseen?: { items: number; reconstruction: number; collisionRate: number };
}

/** Judges the codes of all items; `unseen` marks the rows that were held out, none if absent. */
export function evaluateCodes(
  { codes, errors }: CodedRows,
  codebookSizes: readonly number[],
  { epoch, loss }: { epoch: number; loss: number },
  unseen: Uint32Array,
): QuantizerEvaluation {
  const levels = codebookSizes.length;
  const paths = codePaths(codes, levels);
  const members = new Map<string, number>();
  for (const path of paths) members.set(path, (members.get(path) ?? 0) + 1);
  const counts = codebookSizes.map((codewords, level) => {
    const counts = new Array<number>(codewords).fill(0);
    for (let at = level; at < codes.length; at += levels) counts[codes[at]]++;
    return counts;
  });
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const evaluation: QuantizerEvaluation = {
    epoch,
    loss,
    reconstruction: mean([...errors]),
    collisionRate: (paths.length - members.size) / paths.length,
    gini: mean(counts.map(codewordGini)),
    usage: counts.map((level) => level.filter((count) => count > 0).length / level.length),
  };
  if (unseen.length > 0) {
    const rows = [...unseen];
    evaluation.unseen = {
      items: rows.length,
      reconstruction: mean(rows.map((row) => errors[row])),
      collisionRate: mean(rows.map((row) => Number(members.get(paths[row])! > 1))),
    };
  }
  return evaluation;
}

/** Codes (N, L) of each row as one text. */
export function codePaths(codes: Uint16Array, levels: number): string[] {
  return Array.from(
    { length: codes.length / levels },
    (_, row) => codes.subarray(row * levels, (row + 1) * levels).join(),
  );
}

/** Whether `one` is better than `other` by the criterion; of equal ones, that of the lower loss. */
export function isBetter(
  one: QuantizerEvaluation,
  other: QuantizerEvaluation,
  criterion: Criterion,
): boolean {
  const key = criterion === "collision" ? "collisionRate" : criterion;
  return one[key] < other[key] || one[key] === other[key] && one.loss < other.loss;
}
