import type { Corpus, CorpusSample, Interactions } from "../corpus.ts";
import { type Split, splits } from "../dataset.ts";
import { findPurchase, sequencesOf } from "../interactions.ts";
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

/**
 * Samples: histories no longer than stated, each with its target a stretch of its user's interactions that no other
 * sample predicts, and no train target in the future of a valid or test one.
 */
export function checkSamples(corpus: Corpus, findings: Findings): void {
  const { samples, maxHistory } = corpus;
  const places = new Places(corpus);
  for (const split of splits) {
    for (const [row, sample] of samples[split].entries()) {
      const where = `${split} row ${row}`;
      const { history } = sample;
      if (history.length === 0) findings.add("A sample has no history", where);
      if (history.length > maxHistory) {
        findings.add(
          `A history is longer than the ${maxHistory} items stated`,
          `${where}: ${history.length}`,
        );
      }
      places.take(sample, split, where, findings);
    }
    checkOrder(split, samples[split], corpus, findings);
  }
  if (corpus.split === "time") checkTimes(samples, findings);
  else places.checkHeldOut(findings);
}

/** Which interaction each sample predicts, and for which split. */
class Places {
  readonly #sequences: number[][];
  /** By user: the rows of its times in the log. */
  readonly #starts: number[];
  readonly #times?: Float64Array;
  /** By user: the split of each interaction that is a target. */
  readonly #splits: (Split | undefined)[][];

  constructor({ interactions, users }: Corpus) {
    this.#sequences = sequencesOf(interactions, users.length);
    this.#splits = this.#sequences.map(() => []);
    this.#times = interactions.times;
    let start = 0;
    this.#starts = this.#sequences.map(({ length }) => (start += length) - length);
  }

  /** Finds the purchase that a sample predicts: the first that fits and no earlier sample took. */
  take({ user, history, target, time }: CorpusSample, split: Split, where: string, findings: Findings): void {
    const taken = this.#splits[user];
    const { place, fits } = findPurchase(
      this.#sequences[user],
      { history, target },
      (place) => taken[place] !== undefined,
    );
    if (place === undefined) {
      findings.add(
        fits
          ? "Two samples predict the same purchase"
          : "A history and its target are no stretch of the user's interactions",
        `${where}, user ${user}`,
      );
      return;
    }
    taken[place] = split;
    const known = this.#times?.[this.#starts[user] + place];
    if (time !== undefined && known !== undefined && !Number.isNaN(known) && known !== time) {
      findings.add("A sample's time is not that of the purchase", `${where}: ${time}, not ${known}`);
    }
    const after = taken.findLastIndex((other) => other !== undefined && isEarlier(other, split));
    if (after > place) {
      findings.add(
        `A ${taken[after]} target was bought after the same user's ${split} target`,
        `${where}, user ${user}`,
      );
    }
  }

  /** Leave-one-out: a test target is its user's last purchase, a valid target the one before. */
  checkHeldOut(findings: Findings): void {
    for (const [user, taken] of this.#splits.entries()) {
      const last = this.#sequences[user].length - 1;
      const test = taken.indexOf("test"), valid = taken.indexOf("valid");
      if (test >= 0 && test !== last) {
        findings.add("A test target is not its user's last purchase", `user ${user}`);
      }
      if (valid >= 0 && valid !== last - 1) {
        findings.add("A valid target is not its user's last purchase but one", `user ${user}`);
      }
    }
  }
}

/** In the order train, valid, test. */
function isEarlier(split: Split, other: Split): boolean {
  return splits.indexOf(split) < splits.indexOf(other);
}

/** Under a split by time the rows of a file are in order of time: what training takes the order of rows for. */
function checkOrder(
  split: Split,
  samples: readonly CorpusSample[],
  corpus: Corpus,
  findings: Findings,
): void {
  if (corpus.split !== "time") return;
  for (let row = 1; row < samples.length; row++) {
    const before = samples[row - 1].time, time = samples[row].time;
    if (before !== undefined && time !== undefined && time < before) {
      findings.add("Samples are not in order of time", `${split} row ${row}`);
    }
  }
}

/** Under a split by time no target is later than one of a later split. */
function checkTimes(samples: Record<Split, CorpusSample[]>, findings: Findings): void {
  let earliest = Infinity;
  let of: Split = "test";
  for (const split of splits.toReversed()) {
    for (const [row, { time = -Infinity }] of samples[split].entries()) {
      if (time > earliest) {
        findings.add(`A ${split} target is later than the first ${of} target`, `${split} row ${row}`);
      }
    }
    for (const { time = Infinity } of samples[split]) {
      if (time < earliest) [earliest, of] = [time, split];
    }
  }
}
