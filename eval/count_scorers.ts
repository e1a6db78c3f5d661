import type { Sample } from "../data/dataset.ts";
import { highest } from "./highest.ts";
import {
  countHeld,
  PurchaseCounter,
  TransitionCounter,
  type TransitionCounts,
  type TransitionOptions,
} from "./transition_counts.ts";

/** A recommender without training. */
export interface Scorer {
  /** Row name in reports. */
  name: string;
  /** The best k items (fewer if the catalogue is smaller) for a history, oldest item first; scores descend. */
  rank(history: readonly number[], k: number): { items: number[]; scores: number[] };
}

/** What {@link PurchaseCounter} counts of samples in time order: (N). */
export function purchaseCounts(samples: readonly Sample[], itemCount: number): Float64Array {
  return countHeld(samples, new PurchaseCounter(itemCount));
}

/** Item numbers, highest count first, ties by item number. */
function byCount(counts: Float64Array): number[] {
  return Array.from(counts, (_, item) => item).sort((a, b) => counts[b] - counts[a] || a - b);
}

/** The items bought most often in `samples`, whatever the history. */
export function popularityScorer(samples: readonly Sample[], itemCount: number): Scorer {
  return popularityOf(purchaseCounts(samples, itemCount));
}

/** {@link popularityScorer} of counts (N). */
export function popularityOf(counts: Float64Array): Scorer {
  const order = byCount(counts);
  return {
    name: "popularity",
    rank(_history, k) {
      const items = order.slice(0, k);
      return { items, scores: items.map((item) => counts[item]) };
    },
  };
}

/** The user's own items, latest first, then by popularity. Scores: 1 / distance, 0 for the rest. */
export function repeatRecentScorer(samples: readonly Sample[], itemCount: number): Scorer {
  return repeatRecentOf(purchaseCounts(samples, itemCount));
}

/** {@link repeatRecentScorer} with the popularity of counts (N). */
export function repeatRecentOf(counts: Float64Array): Scorer {
  const order = byCount(counts);
  return {
    name: "repeat recent",
    rank: (history, k) => fill([], [], history, order, k, (distance) => 1 / distance),
  };
}

function countTransitions(
  samples: readonly Sample[],
  itemCount: number,
  options?: TransitionOptions,
): TransitionCounts {
  return countHeld(samples, new TransitionCounter(itemCount, options));
}

/**
 * Item-to-item transitions, weighted by recency ({@link TransitionCounter}): a target's score is the sum over the history
 * of count / sqrt(row sum) / distance. Ties and leftovers: the history, latest first, then popularity.
 */
export function transitionScorer(samples: readonly Sample[], itemCount: number): Scorer {
  return transitionsOf(countTransitions(samples, itemCount));
}

/** {@link transitionScorer} of counts. */
export function transitionsOf(counts: TransitionCounts): Scorer {
  return scorerOf("transitions", counts, { scale: Math.sqrt, divisor: (distance) => distance });
}

/**
 * Markov chain of first order: the share of purchases after the latest item of the history. Ties and leftovers as in
 * {@link transitionScorer}.
 */
export function markovChainScorer(samples: readonly Sample[], itemCount: number): Scorer {
  return markovChainOf(countTransitions(samples, itemCount, { firstOrder: true }));
}

/** {@link markovChainScorer} of counts. */
export function markovChainOf(counts: TransitionCounts): Scorer {
  return scorerOf("markov", counts, { scale: (rowSum) => rowSum, divisor: (distance) => distance, reach: 1 });
}

/** {@link sequentialRulesOf} of what `samples` count. */
export function sequentialRulesScorer(samples: readonly Sample[], itemCount: number): Scorer {
  return sequentialRulesOf(countTransitions(samples, itemCount, SEQUENTIAL_RULES));
}

/** What {@link sequentialRulesOf} reads: a transition back counts half. */
export const SEQUENTIAL_RULES: TransitionOptions = { backwards: 0.5 };

/**
 * Sequential rules in both directions (after SR of Ludewig & Jannach 2018, arXiv:1803.09587, which has the forward ones):
 * a target's score is the sum over the history of count / (row sum + 5)^.25 / 2^(distance - 1), and .3 / distance where it
 * is in the history itself. `counts` have {@link SEQUENTIAL_RULES}. The four numbers were chosen on the valid splits of
 * two data sets and of parts of one (docs/experiments.md). Ties and leftovers as in {@link transitionScorer}.
 */
export function sequentialRulesOf(counts: TransitionCounts): Scorer {
  return scorerOf("sequential-rules", counts, {
    scale: (rowSum) => (rowSum + 5) ** 0.25,
    divisor: (distance) => 2 ** (distance - 1),
    own: 0.3,
  });
}

/** How a history becomes scores. */
interface ScoringOptions {
  /** What a row is divided by, of its sum. */
  scale(rowSum: number): number;
  /** What the row of an item of the history is divided by, of its distance from 1. */
  divisor(distance: number): number;
  /** Latest items of a history that count. Default: all. */
  reach?: number;
  /** What an item of the history gets, over its distance. Default: 0. */
  own?: number;
}

/** Scores by the rows of the items of a history. */
function scorerOf(
  name: string,
  { bought, offsets, targets, weights }: TransitionCounts,
  { scale, divisor, reach = Infinity, own = 0 }: ScoringOptions,
): Scorer {
  const order = byCount(bought);
  const scales = Float64Array.from(bought, (_, item) => {
    let sum = 0;
    for (let e = offsets[item]; e < offsets[item + 1]; e++) sum += weights[e];
    return scale(sum);
  });
  const scores = new Float64Array(bought.length); // all 0 between two requests
  return {
    name,
    rank(history, k) {
      const touched: number[] = [];
      const add = (item: number, score: number) => {
        if (scores[item] === 0) touched.push(item);
        scores[item] += score;
      };
      for (let i = history.length - 1; i >= Math.max(0, history.length - reach); i--) {
        const item = history[i];
        const distance = history.length - i;
        const weight = 1 / scales[item] / divisor(distance);
        if (own > 0) add(item, own / distance);
        for (let e = offsets[item]; e < offsets[item + 1]; e++) add(targets[e], weights[e] * weight);
      }
      // Few are sorted by all that tells them apart: those that are as high as the last of the list.
      const best = highest(scores, k, touched);
      const least = best.length < k ? -Infinity : scores[best[k - 1]];
      const listed = touched.filter((item) => scores[item] >= least).sort((a, b) =>
        scores[b] - scores[a] || history.lastIndexOf(b) - history.lastIndexOf(a) || bought[b] - bought[a] ||
        a - b
      ).slice(0, k);
      const values = listed.map((item) => scores[item]);
      for (const item of touched) scores[item] = 0;
      return fill(listed, values, history, order, k, () => 0);
    },
  };
}

/** The scores that a recommender gives to the whole catalogue (N) for a history. */
export function catalogueScores(
  { rank }: Scorer,
  history: readonly number[],
  itemCount: number,
): Float32Array {
  const { items, scores } = rank(history, itemCount);
  const byItem = new Float32Array(itemCount);
  items.forEach((item, place) => byItem[item] = scores[place]);
  return byItem;
}

/** Adds the history, latest first, and then `order` to a ranking until it has k items. */
function fill(
  items: number[],
  scores: number[],
  history: readonly number[],
  order: readonly number[],
  k: number,
  historyScore: (distance: number) => number,
): { items: number[]; scores: number[] } {
  const listed = new Set(items);
  const add = (item: number, score: number) => {
    if (items.length >= k || listed.has(item)) return;
    listed.add(item);
    items.push(item);
    scores.push(score);
  };
  for (let i = history.length - 1; i >= 0; i--) add(history[i], historyScore(history.length - i));
  for (const item of order) {
    if (items.length >= k) break;
    add(item, 0);
  }
  return { items, scores };
}
