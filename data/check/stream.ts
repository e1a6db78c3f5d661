import type { Corpus, Interactions } from "../corpus.ts";
import { type CorpusStream, GrowingLog, type PartsBefore, withoutRatings } from "../corpus_stream.ts";
import { type Split, splits } from "../dataset.ts";
import { byUser, type Purchases } from "../interactions.ts";
import type { KeptColumns, KeptWork, WorkState } from "../kept/work.ts";
import { DatasetCounts, type DatasetStatistics, type DatasetTally } from "../statistics.ts";
import { percent } from "../../base/round.ts";
import type { UserError } from "../../base/user_error.ts";
import { CatalogueCheck } from "./catalogue.ts";
import { Findings } from "./findings.ts";
import { checkInteractions, SampleCheck, type SampleTally } from "./samples.ts";
import { checkSids } from "./sids.ts";

/** Most problems that are listed. */
export const MOST_PROBLEMS = 20;

/** Facts and counts of a checked dataset. */
export type CheckedDataset = Pick<Corpus, "name" | "source" | "license" | "split" | "maxHistory"> & {
  /** What it holds. */
  statistics: DatasetStatistics;
};

/** What a dataset is, beside the faults of single rows. */
export interface Checked {
  dataset: CheckedDataset;
  /** Faults, a line a kind. */
  findings: string[];
  notes: string[];
}

/** Faults of single rows: a broken file has many, of which the first are enough. */
export class Faults {
  tally: { first: string[]; count: number } = { first: [], count: 0 };

  readonly add = ({ message }: UserError): void => {
    if (this.tally.count++ < MOST_PROBLEMS) this.tally.first.push(message);
  };
}

/** How far a check is, behind the catalogue. */
export interface CheckState {
  /** What is gone through. */
  at: PartsBefore & { table: "interactions" | Split };
  users: number;
  /** Of the log, which is checked when all of it is there. */
  log?: LogFacts;
  samples?: SampleTally;
  counts: DatasetTally;
  findings: Findings["kinds"];
  faults: Faults["tally"];
}

/** Columns of what is gone through that have grown. */
type Grown = () => WorkState<unknown>["grown"];

interface LogFacts {
  /** Interactions without a time where others have one. */
  untimed: number;
  /** Whether it is by user as it stands. */
  isByUser: boolean;
}

/**
 * Goes through a dataset once, from where it was stopped; of what it holds, ids, the log and a few numbers a sample are in
 * memory.
 */
export async function checkStream(
  stream: CorpusStream,
  faults: Faults,
  kept?: KeptWork<CheckState>,
  signal?: AbortSignal,
): Promise<Checked> {
  const { name, source, license, split, maxHistory } = stream;
  const found = kept?.found;
  const findings = new Findings(found?.findings);
  const counts = new DatasetCounts(found?.counts);
  if (found) faults.tally = found.faults;
  let at: CheckState["at"] = found?.at ?? { table: "interactions", parts: 0, rows: 0 };
  const users = found?.users ?? await checkCatalogue(stream, counts, findings, signal);
  /** Behind a part of so many rows. */
  const passed = async (rows: number, grown: Grown, behindLog?: Pick<CheckState, "log" | "samples">) => {
    at = { ...at, parts: at.parts + 1, rows: at.rows + rows };
    const state = () => ({
      values: {
        at,
        users,
        ...behindLog,
        counts: counts.tally,
        findings: findings.kinds,
        faults: faults.tally,
      },
      grown: grown(),
    });
    if (kept) await kept.passed(state);
    else signal?.throwIfAborted();
  };

  const { purchases, ...log } = at.table === "interactions"
    ? checkLog(await joinLog(stream, at, kept, passed), users, counts, findings)
    : { ...found!.log!, purchases: await keptPurchases(kept!, found!.log!) };
  const samples = new SampleCheck(purchases, { split, maxHistory, users }, findings, found?.samples);
  if (kept && found?.samples) await samples.goOn(kept);
  const { times } = purchases;
  const [items, when] = namesOf(log);
  for (const table of splits.slice(Math.max(0, splits.findIndex((split) => split === at.table)))) {
    if (table !== at.table) at = { table, parts: 0, rows: 0 };
    for await (const some of stream.samples(table, at)) {
      samples.add(table, some);
      counts.addSamples(table, some);
      const own = { starts: purchases.starts, [items]: purchases.items, ...(times && { [when]: times }) };
      await passed(some.length, () => ({ ...own, ...samples.times }), { log, samples: samples.tally });
    }
  }
  samples.end();
  const { sids, unread } = await stream.rest();
  if (sids !== undefined) checkSids(sids, findings);
  const statistics = counts.statistics(sids);
  return {
    dataset: { name, source, license, split, maxHistory, statistics },
    findings: findings.lines,
    notes: notesOn(log.untimed, statistics, unread),
  };
}

/** Items and users; how many of these there are. */
async function checkCatalogue(
  stream: CorpusStream,
  counts: DatasetCounts,
  findings: Findings,
  signal?: AbortSignal,
): Promise<number> {
  const catalogue = new CatalogueCheck(findings);
  for await (const items of stream.items()) {
    signal?.throwIfAborted();
    catalogue.addItems(items);
    counts.addItems(items);
  }
  let count = 0;
  for await (const users of stream.users()) {
    signal?.throwIfAborted();
    catalogue.addUsers(users);
    counts.addUsers(users);
    count += users.length;
  }
  catalogue.end();
  return count;
}

/** The whole log but for its ratings, behind what was kept of it. */
async function joinLog(
  stream: CorpusStream,
  before: PartsBefore,
  kept: KeptColumns | undefined,
  passed: (rows: number, grown: Grown) => Promise<void>,
): Promise<Interactions> {
  const log = new GrowingLog();
  if (before.parts > 0) await log.goOn(kept!, before.rows);
  for await (const part of withoutRatings(stream.interactions(before))) {
    log.add(part);
    await passed(part.users.length, () => ({ ...log.interactions }));
  }
  return log.interactions;
}

/** The log by user, and what is good to know of it; its order is not kept. */
function checkLog(
  interactions: Interactions,
  users: number,
  counts: DatasetCounts,
  findings: Findings,
): LogFacts & { purchases: Purchases } {
  counts.addInteractions(interactions);
  checkInteractions(interactions, findings);
  const { times = new Float64Array() } = interactions;
  const untimed = times.reduce((count, time) => count + Number(Number.isNaN(time)), 0);
  const purchases = byUser(interactions, users);
  return {
    untimed: untimed < times.length ? untimed : 0,
    isByUser: purchases.items === interactions.items,
    purchases,
  };
}

/** The same of a check that was stopped behind the log. */
async function keptPurchases(kept: KeptColumns, log: LogFacts): Promise<Purchases> {
  const [items, times] = namesOf(log);
  return {
    starts: await kept.column("starts", Float64Array),
    items: await kept.column(items, Int32Array),
    ...(kept.has(times) && { times: await kept.column(times, Float64Array) }),
  };
}

/** What columns of purchases are kept as: where the log is by user, they are its own. */
function namesOf({ isByUser }: LogFacts): [items: string, times: string] {
  return isByUser ? ["items", "times"] : ["items by user", "times by user"];
}

function notesOn(
  untimed: number,
  statistics: DatasetStatistics,
  unread: readonly string[],
): string[] {
  const { unusedItems, untitledItems, sids, sameSecond, repeatedInteractions } = statistics;
  const lengths = Object.keys(sids?.lengths ?? {});
  return [
    ...splits.filter((split) => statistics[split] === 0).map((split) => `no ${split} samples`),
    ...(untitledItems === statistics.items ? ["no item has a title"] : []),
    ...(unusedItems > 0 ? [`${unusedItems} items have no interaction`] : []),
    ...(untimed > 0
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
