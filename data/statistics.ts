import type { Corpus, CorpusSample, Interactions } from "./corpus.ts";
import { type Split, splits } from "./dataset.ts";

/** A figure for each split. */
export type BySplit = Record<Split, number>;

/** Counts of a dataset, by which a user sees whether it is the one that was meant. */
export interface DatasetStatistics extends BySplit {
  /** Users, with or without samples. */
  users: number;
  /** Items of the catalogue. */
  items: number;
  /** Interactions, those that no sample shows among them. */
  interactions: number;
  /** Interactions over users times items. */
  density: number;
  /** First and last time in the log, UTC. */
  period?: { from: string; to: string };
  /** Share of interactions in the same second as their user's one before, 0 where no times are known. */
  sameSecond: number;
  /** Interactions with the user, item and second of an earlier one; without times none are told. */
  repeatedInteractions: number;
  /** Items in the history of a sample, over all splits. */
  meanHistory: number;
  /** The same as a distribution. */
  historyQuantiles: { min: number; q25: number; median: number; q75: number; q90: number; max: number };
  /** Different test targets that no train sample has, neither in its history nor as its target. */
  coldTestItems: number;
  /** Share of samples with such a target. */
  coldTargets: Pick<BySplit, "valid" | "test">;
  /** Share of samples whose target is in their history. */
  repeatedTargets: BySplit;
  /** Share of samples whose target is in the hundredth of items that are most often train targets. */
  top1PercentTargets: BySplit;
  /** The same for the tenth. */
  top10PercentTargets: BySplit;
  /** Items that no interaction has. */
  unusedItems: number;
  /** Items without a title. */
  untitledItems: number;
  /** Counts of the SIDs, where the dataset has any. */
  sids?: SidStatistics;
}

/** Counts of an index. */
export interface SidStatistics {
  /** Different SIDs. */
  distinct: number;
  /** Different tokens. */
  tokens: number;
  /** Items by the number of tokens of their SID. */
  lengths: Record<number, number>;
  /** Items whose SID another item has, too. */
  collidingItems: number;
  /** Most items with one SID. */
  largestGroup: number;
}

/** Counts what a corpus holds. */
export function statisticsOf(corpus: Corpus): DatasetStatistics {
  const { items, users, interactions, samples, sids } = corpus;
  const known = new Uint8Array(items.length), counts = new Float64Array(items.length);
  for (const { history, target } of samples.train) {
    for (const item of history) known[item] = 1;
    known[target] = 1;
    counts[target]++;
  }
  const ranked = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
  const isCold = ({ target }: CorpusSample) => known[target] === 0;
  const among = (top: Set<number>) =>
    bySplit((split) => share(samples[split], ({ target }) => top.has(target)));
  const top = (part: number) => new Set(ranked.slice(0, Math.ceil(items.length * part)));
  const lengths = splits.flatMap((split) => samples[split].map(({ history }) => history.length)).sort((
    a,
    b,
  ) => a - b);
  const quantile = (q: number) => lengths[Math.floor(q * (lengths.length - 1))] ?? 0;
  return {
    users: users.length,
    items: items.length,
    interactions: interactions.users.length,
    ...bySplit((split) => samples[split].length),
    density: interactions.users.length / (users.length * items.length || 1),
    ...period(interactions.times),
    ...ties(interactions),
    meanHistory: lengths.reduce((sum, length) => sum + length, 0) / (lengths.length || 1),
    /** The same as a distribution. */
    historyQuantiles: {
      min: quantile(0),
      q25: quantile(0.25),
      median: quantile(0.5),
      q75: quantile(0.75),
      q90: quantile(0.9),
      max: quantile(1),
    },
    coldTestItems: new Set(samples.test.filter(isCold).map(({ target }) => target)).size,
    coldTargets: { valid: share(samples.valid, isCold), test: share(samples.test, isCold) },
    repeatedTargets: bySplit((split) =>
      share(samples[split], ({ history, target }) => history.includes(target))
    ),
    top1PercentTargets: among(top(0.01)),
    top10PercentTargets: among(top(0.1)),
    unusedItems: items.length - new Set(interactions.items).size,
    untitledItems: items.filter(({ title }) => title.trim() === "").length,
    ...(sids && { sids: sidStatistics(sids) }),
  };
}

function bySplit(value: (split: Split) => number): BySplit {
  return { train: value("train"), valid: value("valid"), test: value("test") };
}

function share<T>(rows: readonly T[], has: (row: T) => boolean): number {
  return rows.length === 0 ? 0 : rows.filter(has).length / rows.length;
}

function period(times: Float64Array | undefined): Pick<DatasetStatistics, "period"> {
  let from = Infinity, to = -Infinity;
  for (const time of times ?? []) {
    if (time < from) from = time;
    if (time > to) to = time;
  }
  if (from > to) return {};
  const text = (seconds: number) => new Date(seconds * 1000).toISOString();
  return { period: { from: text(from), to: text(to) } };
}

function ties(
  { users, items, times }: Interactions,
): Pick<DatasetStatistics, "sameSecond" | "repeatedInteractions"> {
  let tied = 0, repeated = 0;
  const bought = new Set<number>();
  for (let row = 0; times !== undefined && row < users.length; row++) {
    const isTied = row > 0 && users[row] === users[row - 1] && times[row] === times[row - 1];
    if (isTied) tied++;
    else bought.clear();
    if (isTied && bought.has(items[row])) repeated++;
    bought.add(items[row]);
  }
  return { sameSecond: tied / (users.length || 1), repeatedInteractions: repeated };
}

function sidStatistics(sids: readonly (readonly string[])[]): SidStatistics {
  const groups = new Map<string, number>();
  const lengths: Record<number, number> = {};
  for (const sid of sids) {
    const joined = sid.join("");
    groups.set(joined, (groups.get(joined) ?? 0) + 1);
    lengths[sid.length] = (lengths[sid.length] ?? 0) + 1;
  }
  const shared = [...groups.values()].filter((size) => size > 1);
  return {
    distinct: groups.size,
    tokens: new Set(sids.flat()).size,
    lengths,
    collidingItems: shared.reduce((sum, size) => sum + size, 0),
    largestGroup: groups.values().reduce((most, size) => Math.max(most, size), 0),
  };
}
