import type { Interactions } from "../corpus.ts";
import type { CorpusParts } from "../corpus_parts.ts";
import { type Split, splits } from "../dataset.ts";
import { type CatalogueSurvey, surveyCatalogue } from "./catalogue_survey.ts";

/** What writers ask of a corpus before they write, found by going through it once. */
export interface Survey {
  /** Of items and users. */
  catalogue: CatalogueSurvey;
  /** Rows of the log. */
  interactions: number;
  /** Rows of the log by user. */
  bought: Uint32Array;
  /** Whether the log has a time. */
  times: boolean;
  /** Whether the log has a rating. */
  ratings: boolean;
  /** Samples of each split. */
  samples: Record<Split, number>;
  /** Whether a sample has a time. */
  sampleTimes: boolean;
  /** Names of the attributes of each split's samples, in the order in which they appear. */
  attributes: Record<Split, string[]>;
  /** Whether the log follows from the samples: users' first histories and every target. */
  isShown: boolean;
}

/** A corpus in parts that knows its {@link Survey}. */
export interface SurveyedCorpus extends CorpusParts {
  /** Goes through all of it the first time that it is asked. */
  survey(): Promise<Survey>;
}

/** The corpus with a survey that is made where a writer needs one, unless `found` has it. */
export function surveyed(
  corpus: CorpusParts,
  found: (make: () => Promise<Survey>) => Promise<Survey> = (make) => make(),
): SurveyedCorpus {
  let survey: Promise<Survey> | undefined;
  return { ...corpus, survey: () => survey ??= found(() => surveyOf(corpus)) };
}

async function surveyOf(corpus: CorpusParts): Promise<Survey> {
  const catalogue = await surveyCatalogue(corpus);
  const log = await surveyLog(corpus.interactions(), corpus.sizes.users);
  const shown = new ShownLog(log.bought);
  const samples: Survey["samples"] = { train: 0, valid: 0, test: 0 };
  const names = { train: new Set<string>(), valid: new Set<string>(), test: new Set<string>() };
  let sampleTimes = false;
  for (const split of splits) {
    for await (const part of corpus.samples(split)) {
      samples[split] += part.length;
      for (const { user, history, target, time, attributes } of part) {
        shown.add(user, history, target);
        if (time !== undefined) sampleTimes = true;
        for (const name in attributes) names[split].add(name);
      }
    }
  }
  const attributes = { train: [...names.train], valid: [...names.valid], test: [...names.test] };
  return { catalogue, ...log, samples, sampleTimes, attributes, isShown: shown.isWhole };
}

async function surveyLog(
  log: AsyncIterable<Interactions>,
  users: number,
): Promise<Pick<Survey, "interactions" | "bought" | "times" | "ratings">> {
  const bought = new Uint32Array(users);
  let interactions = 0, times = false, ratings = false;
  const isKnown = (value: number) => !Number.isNaN(value);
  for await (const part of log) {
    interactions += part.users.length;
    for (const user of part.users) bought[user]++;
    times ||= part.times?.some(isKnown) ?? false;
    ratings ||= part.ratings?.some(isKnown) ?? false;
  }
  return { interactions, bought, times, ratings };
}

/**
 * How much of each user's log samples show, by the rule of `interactionsOf()`: a history that is the end of what its user
 * is known to have bought adds nothing, another one all of its items, and each target one. It holds 4 bytes an interaction;
 * of users that are shown whole nothing more is noted.
 */
class ShownLog {
  readonly #starts: Float64Array;
  /** Items bought, those of a user at its start. */
  readonly #items: Int32Array;
  readonly #shown: Uint32Array;

  constructor(bought: Uint32Array) {
    this.#starts = new Float64Array(bought.length + 1);
    for (const [user, count] of bought.entries()) this.#starts[user + 1] = this.#starts[user] + count;
    this.#items = new Int32Array(this.#starts[bought.length]);
    this.#shown = new Uint32Array(bought.length);
  }

  add(user: number, history: readonly number[], target: number): void {
    const start = this.#starts[user], room = this.#starts[user + 1] - start;
    const shown = this.#shown[user];
    if (shown >= room) return;
    const offset = start + shown - history.length;
    const follows = offset >= start && history.every((item, i) => this.#items[offset + i] === item);
    const more = follows ? [target] : [...history, target];
    for (const [i, item] of more.entries()) {
      if (shown + i < room) this.#items[start + shown + i] = item;
    }
    this.#shown[user] = Math.min(shown + more.length, room);
  }

  get isWhole(): boolean {
    return this.#shown.every((shown, user) => shown === this.#starts[user + 1] - this.#starts[user]);
  }
}
