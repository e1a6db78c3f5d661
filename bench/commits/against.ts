import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { bootstrapInterval, mean } from "../../eval/metrics.ts";
import type { Opener } from "../kernels/measure.ts";
import { openProcess } from "../kernels/remote.ts";
import { type ContenderTiming, isWrong, type Row, timingText } from "../kernels/report.ts";
import type { Checkout } from "./checkout.ts";

/** Fewer pairs have no interval: drawn with replacement, two give three different means. */
const FEWEST_PAIRS = 3;

/** How two commits compare on one row. */
export interface CommitRatio {
  /** Geometric mean over turns of the other commit's time / this one's: above 1 this one is faster. */
  ratio: number;
  /** Its 95 % bootstrap interval over turns; undefined for fewer than three. */
  ci95?: [low: number, high: number];
}

/** One row of this commit and another one. */
export interface CommitRow {
  row: Row;
  ours: ContenderTiming;
  theirs: ContenderTiming;
}

/** Opens workloads in a process of the other commit. Throws {@link UserError} where it has no bench as ours. */
export function openerOf({ commit, folder }: Checkout, choice: string[]): Opener {
  const script = join(folder, "bench", "kernels", "ours_main.ts");
  if (!existsSync(script)) {
    throw new UserError(
      `Cannot measure against ${commit}: it has no bench/kernels/ours_main.ts. Name a later commit`,
    );
  }
  return { name: commit, open: (workload) => openProcess(script, choice, workload, false) };
}

/** Turn by turn; undefined where one of them is absent or wrong. */
export function commitRatio({ row, ours, theirs }: CommitRow): CommitRatio | undefined {
  if ("absent" in ours || "absent" in theirs) return undefined;
  if (isWrong(row.group, ours) || isWrong(row.group, theirs)) return undefined;
  const logs = Float64Array.from(ours.milliseconds, (own, i) => Math.log(theirs.milliseconds[i] / own));
  const ratio = Math.exp(mean(logs));
  if (logs.length < FEWEST_PAIRS) return { ratio };
  const [low, high] = bootstrapInterval(logs, { seed: 1 });
  return { ratio, ci95: [Math.exp(low), Math.exp(high)] };
}

/** Headings and lines of a table; `ours` and `theirs` are what the commits are called. */
export function againstLines(rows: readonly CommitRow[], ours: string, theirs: string): string[][] {
  const lines = rows.map((pair) => [
    pair.row.name,
    timingText(pair.row.group, pair.ours),
    timingText(pair.row.group, pair.theirs),
    verdict(commitRatio(pair)),
  ]);
  return [["workload", `${ours}, ms`, `${theirs}, ms`, `${theirs} / ${ours} [95 %]`], ...lines];
}

function verdict(found: CommitRatio | undefined): string {
  if (!found) return "";
  const { ratio, ci95 } = found;
  const text = `${ratio.toFixed(3)}x`;
  if (!ci95) return `${text}, too few turns for an interval`;
  const [low, high] = ci95;
  const word = high < 1 ? "  LOSS" : low > 1 ? "  faster" : "  no difference seen";
  return `${text} [${low.toFixed(3)} - ${high.toFixed(3)}]${word}`;
}
