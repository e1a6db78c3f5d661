import type { Corpus } from "../corpus.ts";
import { splits } from "../dataset.ts";
import { findFormat } from "../formats/load.ts";
import { type DatasetStatistics, statisticsOf } from "../statistics.ts";
import { percent } from "../../base/round.ts";
import { UserError } from "../../base/user_error.ts";
import { checkCatalogue } from "./catalogue.ts";
import { Findings } from "./findings.ts";
import { checkInteractions, checkSamples } from "./samples.ts";
import { checkSids } from "./sids.ts";

/** Most problems that are listed. */
export const MOST_PROBLEMS = 20;

/** What a check found. */
export interface CheckReport {
  /** Name of the format. */
  format: string;
  /** The first {@link MOST_PROBLEMS} faults, one sentence each; none for a sound dataset. */
  problems: string[];
  /** All faults. */
  problemCount: number;
  /** What is no fault and good to know. */
  notes: string[];
  /** Facts and counts; absent where a file could not be read at all. */
  dataset?: CheckedDataset;
}

/** Facts and counts of a checked dataset. */
export type CheckedDataset = Pick<Corpus, "name" | "source" | "license" | "split" | "maxHistory"> & {
  /** What it holds. */
  statistics: DatasetStatistics;
};

/**
 * Validates a dataset directory of any supported format (or built-in data by name) to its depth and counts what it
 * holds. Faults are reported, not thrown. Throws `UserError` where no format fits.
 */
export async function checkDataset(dir: string): Promise<CheckReport> {
  const format = await findFormat(dir);
  const faults = new Faults();
  let corpus: Corpus;
  try {
    corpus = await format.read(dir, faults.add);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return report(format.name, faults, [error.message], []);
  }
  const findings = new Findings();
  checkCatalogue(corpus, findings);
  checkInteractions(corpus.interactions, findings);
  checkSamples(corpus, findings);
  if (corpus.sids !== undefined) checkSids(corpus.sids, findings);
  const statistics = statisticsOf(corpus);
  await format.verify?.(dir, statistics, faults.add);
  const { name, source, license, split, maxHistory } = corpus;
  return {
    ...report(format.name, faults, findings.lines, notesOn(corpus, statistics)),
    dataset: { name, source, license, split, maxHistory, statistics },
  };
}

/** Faults of single rows: a broken file has many, of which the first are enough. */
class Faults {
  readonly first: string[] = [];
  count = 0;

  readonly add = ({ message }: UserError): void => {
    if (this.count++ < MOST_PROBLEMS) this.first.push(message);
  };
}

function report(format: string, { first, count }: Faults, findings: string[], notes: string[]): CheckReport {
  // What is wrong with the dataset as a whole must not drown in bad rows.
  const rows = first.slice(0, Math.max(MOST_PROBLEMS - findings.length, MOST_PROBLEMS / 2));
  const problems = [...rows, ...findings].slice(0, MOST_PROBLEMS);
  return { format, problems, problemCount: count + findings.length, notes };
}

function notesOn(corpus: Corpus, statistics: DatasetStatistics): string[] {
  const { items, samples, unread } = corpus;
  const { unusedItems, untitledItems, sids, sameSecond, repeatedInteractions } = statistics;
  const times = corpus.interactions.times ?? new Float64Array();
  const untimed = times.reduce((count, time) => count + Number(Number.isNaN(time)), 0);
  const lengths = Object.keys(sids?.lengths ?? {});
  return [
    ...splits.filter((split) => samples[split].length === 0).map((split) => `no ${split} samples`),
    ...(untitledItems === items.length ? ["no item has a title"] : []),
    ...(unusedItems > 0 ? [`${unusedItems} items have no interaction`] : []),
    ...(untimed > 0 && untimed < times.length
      ? [`${untimed} interactions have no time: they count as earlier than those of the user that have one`]
      : []),
    ...(sameSecond > 0
      ? [`same second as the one before: ${percent(sameSecond)} of interactions, in the order of the files`]
      : []),
    ...(repeatedInteractions > 0
      ? [`${repeatedInteractions} interactions repeat the user, item and second of an earlier one`]
      : []),
    ...(sids && sids.collidingItems > 0 ? [`${sids.collidingItems} items share their SID with another`] : []),
    ...(lengths.length > 1 ? [`SIDs have ${lengths.join(" or ")} tokens`] : []),
    ...unread.map((what) => `not in the dataset: ${what}`),
  ];
}
