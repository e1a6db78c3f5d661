import type { CorpusItem, CorpusSample, CorpusUser, Interactions } from "./corpus.ts";
import type { Split } from "./dataset.ts";
import { LogCounts, LogTally } from "./log_counts.ts";

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

/** What {@link DatasetCounts} hold, as a value that can be kept. */
export class DatasetTally {
  items = 0;
  users = 0;
  untitled = 0;
  /** Items that train samples have. */
  known = new Uint8Array();
  /** By item: samples of each split that it is the target of. */
  targets: Record<Split, Uint32Array> = bySplit(() => new Uint32Array());
  samples: BySplit = bySplit(() => 0);
  repeated: BySplit = bySplit(() => 0);
  cold: BySplit = bySplit(() => 0);
  coldTestItems = new Set<number>();
  /** Samples by the length of their history. */
  lengths: number[] = [];
  log = new LogTally();
}

/**
 * Counts what a corpus holds, in parts: all items, then the log in its order and samples in the order train, valid, test. It
 * holds 30 bytes an item or so, whatever else there is.
 */
export class DatasetCounts {
  readonly #tally: DatasetTally;
  readonly #log: LogCounts;

  /** Goes on from what was counted. */
  constructor(tally: DatasetTally = new DatasetTally()) {
    this.#tally = tally;
    this.#log = new LogCounts(tally.log);
  }

  /** What was counted until now. */
  get tally(): DatasetTally {
    return this.#tally;
  }

  /** Items in the order of their numbers. */
  addItems(items: readonly CorpusItem[]): void {
    this.#tally.items += items.length;
    for (const { title } of items) if (title.trim() === "") this.#tally.untitled++;
  }

  /** Users. */
  addUsers(users: readonly CorpusUser[]): void {
    this.#tally.users += users.length;
  }

  /** A part of the log. */
  addInteractions(interactions: Interactions): void {
    this.#log.add(interactions, this.#tally.items);
  }

  /** Samples of a split. */
  addSamples(split: Split, samples: readonly CorpusSample[]): void {
    if (this.#tally.known.length !== this.#tally.items) {
      this.#tally.known = new Uint8Array(this.#tally.items);
      this.#tally.targets = bySplit(() => new Uint32Array(this.#tally.items));
    }
    this.#tally.samples[split] += samples.length;
    const targets = this.#tally.targets[split];
    for (const { history, target } of samples) {
      if (split === "train") {
        for (const item of history) this.#tally.known[item] = 1;
        this.#tally.known[target] = 1;
      } else if (this.#tally.known[target] === 0) {
        this.#tally.cold[split]++;
        if (split === "test") this.#tally.coldTestItems.add(target);
      }
      targets[target]++;
      if (history.includes(target)) this.#tally.repeated[split]++;
      this.#tally.lengths[history.length] = (this.#tally.lengths[history.length] ?? 0) + 1;
    }
  }

  /** Figures of all that was added, with the SIDs. */
  statistics(sids?: readonly (readonly string[])[]): DatasetStatistics {
    const [items, users] = [this.#tally.items, this.#tally.users];
    const ranked = Uint32Array.from({ length: items }, (_, item) => item);
    const { train } = this.#tally.targets;
    ranked.sort((a, b) => train[b] - train[a] || a - b);
    const share = (counts: BySplit, split: Split) => counts[split] / (this.#tally.samples[split] || 1);
    const among = (part: number) => {
      const top = ranked.subarray(0, Math.ceil(items * part));
      const found = bySplit((split) =>
        top.reduce((sum, item) => sum + (this.#tally.targets[split][item] ?? 0), 0)
      );
      return bySplit((split) => share(found, split));
    };
    const lengths = lengthFigures(this.#tally.lengths);
    return {
      users,
      items,
      interactions: this.#log.rows,
      ...this.#tally.samples,
      density: this.#log.rows / (users * items || 1),
      ...this.#log.period,
      ...this.#log.ties,
      ...lengths,
      coldTestItems: this.#tally.coldTestItems.size,
      coldTargets: { valid: share(this.#tally.cold, "valid"), test: share(this.#tally.cold, "test") },
      repeatedTargets: bySplit((split) => share(this.#tally.repeated, split)),
      top1PercentTargets: among(0.01),
      top10PercentTargets: among(0.1),
      unusedItems: items - this.#log.usedItems,
      untitledItems: this.#tally.untitled,
      ...(sids && { sids: sidStatistics(sids) }),
    };
  }
}

/** Figures of histories, of which `counts[l]` have length l. */
function lengthFigures(
  counts: readonly number[],
): Pick<DatasetStatistics, "meanHistory" | "historyQuantiles"> {
  const all = Array.from(counts, (count = 0, length) => ({ count, length }));
  const total = all.reduce((sum, { count }) => sum + count, 0);
  const quantile = (q: number) => {
    let left = Math.floor(q * (total - 1));
    return all.find(({ count }) => (left -= count) < 0)?.length ?? 0;
  };
  return {
    meanHistory: all.reduce((sum, { count, length }) => sum + count * length, 0) / (total || 1),
    historyQuantiles: {
      min: quantile(0),
      q25: quantile(0.25),
      median: quantile(0.5),
      q75: quantile(0.75),
      q90: quantile(0.9),
      max: quantile(1),
    },
  };
}

function bySplit<T>(value: (split: Split) => T): Record<Split, T> {
  return { train: value("train"), valid: value("valid"), test: value("test") };
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
