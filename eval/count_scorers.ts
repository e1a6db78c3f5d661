import type { Sample } from "../data/dataset.ts";

/** A recommender without training. */
export interface Scorer {
  /** Row name in reports. */
  name: string;
  /** The best k items (fewer if the catalogue is smaller) for a history, oldest item first; scores descend. */
  rank(history: readonly number[], k: number): { items: number[]; scores: number[] };
}

/**
 * Every purchase of the train period counts once: each target, and the history of a user's first row, since
 * later windows only repeat. `samples` in time order. Returns counts (N).
 */
export function purchaseCounts(samples: readonly Sample[], itemCount: number): Float64Array {
  const counts = new Float64Array(itemCount);
  const seen = new Set<string>();
  for (const { user, history, target } of samples) {
    counts[target]++;
    if (!seen.has(user)) { for (const item of history) counts[item]++; }
    seen.add(user);
  }
  return counts;
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

/** What was bought after what: a sparse matrix (N, N) in compressed rows. */
export interface TransitionCounts {
  /** (N): see {@link purchaseCounts}. */
  bought: Float64Array;
  /** (N + 1): the entries of item i are [offsets[i], offsets[i + 1]). */
  offsets: Uint32Array;
  /** (entries) items bought after. */
  targets: Uint32Array;
  /** (entries) how often, or a weighted sum. */
  weights: Float32Array;
}

/**
 * Counts transitions of `samples`, in time order. Each sample adds 1 / distance to the entry of a history item and its
 * target, distance 1 for the latest; with `firstOrder` the latest item alone counts.
 */
export function countTransitions(
  samples: readonly Sample[],
  itemCount: number,
  firstOrder: boolean,
): TransitionCounts {
  const rows = Array.from({ length: itemCount }, () => new Map<number, number>());
  for (const { history, target } of samples) {
    const oldest = firstOrder ? Math.max(0, history.length - 1) : 0;
    for (let i = history.length - 1; i >= oldest; i--) {
      const row = rows[history[i]];
      row.set(target, (row.get(target) ?? 0) + 1 / (history.length - i));
    }
  }
  const offsets = new Uint32Array(itemCount + 1);
  rows.forEach((row, item) => offsets[item + 1] = offsets[item] + row.size);
  return {
    bought: purchaseCounts(samples, itemCount),
    offsets,
    targets: Uint32Array.from(rows.flatMap((row) => [...row.keys()])),
    weights: Float32Array.from(rows.flatMap((row) => [...row.values()])),
  };
}

/**
 * Item-to-item transitions, weighted by recency ({@link countTransitions}): a target's score is the sum over the history
 * of count / sqrt(row sum) / distance. Ties and leftovers: the history, latest first, then popularity.
 */
export function transitionScorer(samples: readonly Sample[], itemCount: number): Scorer {
  return transitionsOf(countTransitions(samples, itemCount, false));
}

/** {@link transitionScorer} of counts. */
export function transitionsOf(counts: TransitionCounts): Scorer {
  return scorerOf("transitions", counts, Infinity, Math.sqrt);
}

/**
 * Markov chain of first order: the share of purchases after the latest item of the history. Ties and leftovers as in
 * {@link transitionScorer}.
 */
export function markovChainScorer(samples: readonly Sample[], itemCount: number): Scorer {
  return markovChainOf(countTransitions(samples, itemCount, true));
}

/** {@link markovChainScorer} of counts. */
export function markovChainOf(counts: TransitionCounts): Scorer {
  return scorerOf("markov", counts, 1, (rowSum) => rowSum);
}

/** Scores by the latest `reach` items of a history, each row divided by `scale` of its sum. */
function scorerOf(
  name: string,
  { bought, offsets, targets, weights }: TransitionCounts,
  reach: number,
  scale: (rowSum: number) => number,
): Scorer {
  const order = byCount(bought);
  const scales = Float64Array.from(bought, (_, item) => {
    let sum = 0;
    for (let e = offsets[item]; e < offsets[item + 1]; e++) sum += weights[e];
    return scale(sum);
  });
  return {
    name,
    rank(history, k) {
      const scores = new Map<number, number>();
      for (let i = history.length - 1; i >= Math.max(0, history.length - reach); i--) {
        const item = history[i];
        const weight = 1 / scales[item] / (history.length - i);
        for (let e = offsets[item]; e < offsets[item + 1]; e++) {
          scores.set(targets[e], (scores.get(targets[e]) ?? 0) + weights[e] * weight);
        }
      }
      const scored = [...scores].sort(([a, scoreA], [b, scoreB]) =>
        scoreB - scoreA || history.lastIndexOf(b) - history.lastIndexOf(a) || bought[b] - bought[a] || a - b
      ).slice(0, k);
      return fill(scored.map(([item]) => item), scored.map(([, score]) => score), history, order, k, () => 0);
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
