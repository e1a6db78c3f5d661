import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { bootstrapInterval, mean } from "../../eval/metrics.ts";
import type { Opener } from "../kernels/measure.ts";
import { openProcess } from "../kernels/remote.ts";
import { type ContenderTiming, isWrong, type Row, timingText } from "../kernels/report.ts";
import type { Checkout } from "./checkout.ts";

/** Fewer pairs have no interval: drawn with replacement, three are one and the same in a draw of nine. */
const FEWEST_PAIRS = 5;

/** How two commits compare on one row. */
export interface CommitRatio {
  /** Geometric mean over turns of the other commit's time / this one's: above 1 this one is faster. */
  ratio: number;
  /** Its 95 % bootstrap interval over turns; undefined for fewer than five. */
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

/** By the clock and by what the processor worked; undefined where a side is absent or wrong, or does not tell. */
export function commitRatios(
  { row, ours, theirs }: CommitRow,
): { clock?: CommitRatio; processor?: CommitRatio } {
  if ("absent" in ours || "absent" in theirs) return {};
  if (isWrong(row.group, ours) || isWrong(row.group, theirs)) return {};
  const [own, other] = [ours, theirs].map(({ processorMilliseconds }) => processorMilliseconds);
  return {
    clock: ratioOfTurns(ours.milliseconds, theirs.milliseconds),
    ...(own && other && { processor: ratioOfTurns(own, other) }),
  };
}

function ratioOfTurns(ours: readonly number[], theirs: readonly number[]): CommitRatio {
  const logs = Float64Array.from(ours, (own, i) => Math.log(theirs[i] / own));
  const ratio = Math.exp(mean(logs));
  if (logs.length < FEWEST_PAIRS) return { ratio };
  const [low, high] = bootstrapInterval(logs, { seed: 1 });
  return { ratio, ci95: [Math.exp(low), Math.exp(high)] };
}

/** What is said of a row whose whole interval is below 1, or above it. */
export interface RatioWords {
  below: string;
  above: string;
}

/** Headings and lines of a table; `ours` and `theirs` are what the two sides are called. */
export function againstLines(
  rows: readonly CommitRow[],
  ours: string,
  theirs: string,
  words: RatioWords = { below: "LOSS", above: "faster" },
): string[][] {
  const lines = rows.map((pair) => {
    const { clock, processor } = commitRatios(pair);
    const times = [pair.ours, pair.theirs].map((timing) => timingText(pair.row.group, timing));
    return [pair.row.name, ...times, verdict(clock, words), verdict(processor, words)];
  });
  const headings = ["workload", `${ours}, ms`, `${theirs}, ms`, `${theirs} / ${ours} [95 %]`];
  return [[...headings, "of processor time [95 %]"], ...lines];
}

function verdict(found: CommitRatio | undefined, { below, above }: RatioWords): string {
  if (!found) return "";
  const { ratio, ci95 } = found;
  const text = `${ratio.toFixed(3)}x`;
  if (!ci95) return `${text}, too few turns`;
  const [low, high] = ci95;
  const word = high < 1 ? below : low > 1 ? above : "no difference";
  return `${text} [${low.toFixed(3)} - ${high.toFixed(3)}] ${word}`;
}
