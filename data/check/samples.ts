import { GrowingColumn } from "../corpus_stream.ts";
import type { CorpusSample, Interactions, SplitKind } from "../corpus.ts";
import { type Split, splits } from "../dataset.ts";
import { findPurchase, type Purchases } from "../interactions.ts";
import type { KeptColumns } from "../kept/work.ts";
import type { Findings } from "./findings.ts";

/** The log is by user, then time. */
export function checkInteractions({ users, times }: Interactions, findings: Findings): void {
  for (let row = 1; row < users.length; row++) {
    if (users[row] < users[row - 1]) findings.add("Interactions are not ordered by user", `row ${row}`);
    else if (users[row] === users[row - 1] && times !== undefined && times[row] < times[row - 1]) {
      findings.add("A user's interactions are not in order of time", `row ${row}, user ${users[row]}`);
    }
  }
}

/** What samples are measured by. */
export interface SampleRules {
  split: SplitKind;
  maxHistory: number;
  /** Number of users. */
  users: number;
}

/** What {@link SampleCheck} holds, as a value that can be kept. */
export interface SampleTally {
  /** By purchase: 1 and the place of the split that has it as a target among {@link splits}; 0: none. */
  owners: Uint8Array;
  /** Samples of each split. */
  rows: Record<Split, number>;
}

/**
 * Samples in parts, the splits in order: histories no longer than stated, each with its target a stretch of its user's
 * interactions that no other sample predicts, and no train target in the future of a valid or test one. It holds a byte an
 * interaction and, of a split by time, 8 a sample.
 */
export class SampleCheck {
  #rules: SampleRules;
  #findings: Findings;
  #purchases: Purchases;
  #tally: SampleTally;
  /** Of a split by time: times of the targets, NaN where unknown. */
  #times = { train: times(), valid: times(), test: times() };

  /** `purchases` by user: the log. Goes on from what was checked. */
  constructor(purchases: Purchases, rules: SampleRules, findings: Findings, tally?: SampleTally) {
    this.#rules = rules;
    this.#findings = findings;
    this.#purchases = purchases;
    this.#tally = tally ?? {
      owners: new Uint8Array(purchases.items.length),
      rows: { train: 0, valid: 0, test: 0 },
    };
  }

  /** What was checked until now. */
  get tally(): SampleTally {
    return this.#tally;
  }

  /** Of a split by time: times by split. */
  get times(): Record<string, Float64Array> {
    const known = splits.filter((split) => this.#times[split].isKnown);
    return Object.fromEntries(
      known.map((split) => [timesOf(split), this.#times[split].first(this.#tally.rows[split])]),
    );
  }

  /** Goes on behind the {@link times} that were kept. */
  async goOn(kept: KeptColumns): Promise<void> {
    for (const split of splits.filter((split) => kept.has(timesOf(split)))) {
      await kept.column(timesOf(split), Float64Array, (length) => this.#times[split].room(length));
    }
  }

  /** Samples of a split. */
  add(split: Split, samples: readonly CorpusSample[]): void {
    const findings = this.#findings, { maxHistory, split: kind } = this.#rules;
    if (kind === "time") {
      this.#times[split].set(Float64Array.from(samples, ({ time = NaN }) => time), this.#tally.rows[split]);
    }
    for (const sample of samples) {
      const { history } = sample;
      const where = `${split} row ${this.#tally.rows[split]++}`;
      if (history.length === 0) findings.add("A sample has no history", where);
      if (history.length > maxHistory) {
        findings.add(
          `A history is longer than the ${maxHistory} items stated`,
          `${where}: ${history.length}`,
        );
      }
      this.#checkPurchase(split, sample, `${where}, user ${sample.user}`);
    }
  }

  /** After all of them. */
  end(): void {
    const { split } = this.#rules;
    if (split === "leave-one-out") this.#checkHeldOut();
    if (split === "time") this.#checkTimes();
  }

  /** Each sample predicts a purchase of its own, under leave-one-out the one that its split holds out. */
  #checkPurchase(split: Split, sample: CorpusSample, where: string): void {
    const findings = this.#findings, owners = this.#tally.owners;
    const { starts, items, times } = this.#purchases;
    const start = starts[sample.user], end = starts[sample.user + 1];
    const bought = items.subarray(start, end);
    const { place, fits } = findPurchase(bought, sample, (place) => owners[start + place] > 0);
    if (place === undefined) {
      findings.add(
        fits
          ? "Two samples predict the same purchase"
          : "A history and its target are no stretch of the user's interactions",
        where,
      );
      return;
    }
    const own = splits.indexOf(split) + 1;
    owners[start + place] = own;
    const known = times?.[start + place] ?? NaN;
    if (sample.time !== undefined && !Number.isNaN(known) && known !== sample.time) {
      findings.add("A sample's time is not that of the purchase", `${where}: ${sample.time}, not ${known}`);
    }
    for (let later = end - 1; own > 1 && later > start + place; later--) {
      if (owners[later] === 0 || owners[later] >= own) continue;
      findings.add(
        `A ${splits[owners[later] - 1]} target was bought after the same user's ${split} target`,
        where,
      );
      break;
    }
  }

  /** Leave-one-out: a test target is its user's last purchase, a valid target the one before. */
  #checkHeldOut(): void {
    const { starts } = this.#purchases;
    const [valid, test] = [splits.indexOf("valid") + 1, splits.indexOf("test") + 1];
    for (let user = 0; user < this.#rules.users; user++) {
      const owners = this.#tally.owners.subarray(starts[user], starts[user + 1]);
      const { length } = owners;
      const tested = owners.indexOf(test), validated = owners.indexOf(valid);
      if (tested >= 0 && tested !== length - 1) {
        this.#findings.add("A test target is not its user's last purchase", `user ${user}`);
      }
      if (validated >= 0 && validated !== length - 2) {
        this.#findings.add("A valid target is not its user's last purchase but one", `user ${user}`);
      }
    }
  }

  /** Split by time: rows in order of time, as training takes them to be, and no target later than one of a later split. */
  #checkTimes(): void {
    const findings = this.#findings;
    let earliest = Infinity;
    let of: Split = "test";
    for (const split of splits.toReversed()) {
      let before = -Infinity, own = Infinity;
      for (const [row, time] of this.#times[split].first(this.#tally.rows[split]).entries()) {
        if (Number.isNaN(time)) continue;
        if (time < before) findings.add("Samples are not in order of time", `${split} row ${row}`);
        if (time > earliest) {
          findings.add(`A ${split} target is later than the first ${of} target`, `${split} row ${row}`);
        }
        before = time;
        own = Math.min(own, time);
      }
      if (own < earliest) [earliest, of] = [own, split];
    }
  }
}

function times(): GrowingColumn<Float64Array> {
  return new GrowingColumn((length) => new Float64Array(length));
}

/** Name of a column of times that is kept. */
function timesOf(split: Split): string {
  return `times of ${split}`;
}
