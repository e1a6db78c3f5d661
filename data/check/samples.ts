import type { Corpus, CorpusSample, Interactions } from "../corpus.ts";
import { type Split, splits } from "../dataset.ts";
import { purchasesOf, sequencesOf, startsOf } from "../interactions.ts";
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
  for (const split of splits) {
    for (const [row, { history }] of samples[split].entries()) {
      const where = `${split} row ${row}`;
      if (history.length === 0) findings.add("A sample has no history", where);
      if (history.length > maxHistory) {
        findings.add(
          `A history is longer than the ${maxHistory} items stated`,
          `${where}: ${history.length}`,
        );
      }
    }
  }
  checkPurchases(corpus, findings);
  if (corpus.split === "time") checkTimes(samples, findings);
}

/** Each sample predicts a purchase of its own, under leave-one-out the one that its split holds out. */
function checkPurchases({ interactions, users, samples, split: kind }: Corpus, findings: Findings): void {
  const sequences = sequencesOf(interactions, users.length), starts = startsOf(sequences);
  const purchases = purchasesOf(sequences, samples);
  // By user: the split of each purchase that is a target.
  const targets: Split[][] = sequences.map(() => []);
  for (const split of splits) {
    for (const [row, { place, fits }] of purchases[split].entries()) {
      const { user, time } = samples[split][row];
      const where = `${split} row ${row}, user ${user}`;
      if (place === undefined) {
        findings.add(
          fits
            ? "Two samples predict the same purchase"
            : "A history and its target are no stretch of the user's interactions",
          where,
        );
        continue;
      }
      targets[user][place] = split;
      const known = interactions.times?.[starts[user] + place] ?? NaN;
      if (time !== undefined && !Number.isNaN(known) && known !== time) {
        findings.add("A sample's time is not that of the purchase", `${where}: ${time}, not ${known}`);
      }
      const after = targets[user].findLastIndex((other) => other !== undefined && isEarlier(other, split));
      if (after > place) {
        findings.add(
          `A ${targets[user][after]} target was bought after the same user's ${split} target`,
          where,
        );
      }
    }
  }
  if (kind === "leave-one-out") checkHeldOut(sequences, targets, findings);
}

/** Leave-one-out: a test target is its user's last purchase, a valid target the one before. */
function checkHeldOut(sequences: number[][], targets: Split[][], findings: Findings): void {
  for (const [user, { length }] of sequences.entries()) {
    const test = targets[user].indexOf("test"), valid = targets[user].indexOf("valid");
    if (test >= 0 && test !== length - 1) {
      findings.add("A test target is not its user's last purchase", `user ${user}`);
    }
    if (valid >= 0 && valid !== length - 2) {
      findings.add("A valid target is not its user's last purchase but one", `user ${user}`);
    }
  }
}

/** In the order train, valid, test. */
function isEarlier(split: Split, other: Split): boolean {
  return splits.indexOf(split) < splits.indexOf(other);
}

/** Split by time: rows in order of time, as training takes them to be, and no target later than one of a later split. */
function checkTimes(samples: Record<Split, CorpusSample[]>, findings: Findings): void {
  let earliest = Infinity;
  let of: Split = "test";
  for (const split of splits.toReversed()) {
    let before = -Infinity;
    for (const [row, { time }] of samples[split].entries()) {
      if (time === undefined) continue;
      if (time < before) findings.add("Samples are not in order of time", `${split} row ${row}`);
      if (time > earliest) {
        findings.add(`A ${split} target is later than the first ${of} target`, `${split} row ${row}`);
      }
      before = time;
    }
    for (const { time = Infinity } of samples[split]) {
      if (time < earliest) [earliest, of] = [time, split];
    }
  }
}
