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
export function popularity(samples: readonly Sample[], itemCount: number): Scorer {
  const counts = purchaseCounts(samples, itemCount);
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
export function repeatRecent(samples: readonly Sample[], itemCount: number): Scorer {
  const order = byCount(purchaseCounts(samples, itemCount));
  return {
    name: "repeat recent",
    rank: (history, k) => fill([], [], history, order, k, (distance) => 1 / distance),
  };
}

/**
 * Item-to-item transitions. Every sample adds 1 / distance to count[history item][target], distance 1 for the
 * latest; a target's score is the sum over the history of count / sqrt(row sum) / distance. Ties and leftovers:
 * the history, latest first, then popularity.
 */
export function transitions(samples: readonly Sample[], itemCount: number): Scorer {
  const popular = purchaseCounts(samples, itemCount);
  const order = byCount(popular);
  const counts = Array.from({ length: itemCount }, () => new Map<number, number>());
  for (const { history, target } of samples) {
    for (const [i, item] of history.entries()) {
      const row = counts[item];
      row.set(target, (row.get(target) ?? 0) + 1 / (history.length - i));
    }
  }
  const rowSums = counts.map((row) => row.values().reduce((sum, count) => sum + count, 0));
  return {
    name: "transitions",
    rank(history, k) {
      const scores = new Map<number, number>();
      for (let i = history.length - 1; i >= 0; i--) {
        const weight = 1 / Math.sqrt(rowSums[history[i]]) / (history.length - i);
        for (const [target, count] of counts[history[i]]) {
          scores.set(target, (scores.get(target) ?? 0) + count * weight);
        }
      }
      const scored = [...scores].sort(([a, scoreA], [b, scoreB]) =>
        scoreB - scoreA || history.lastIndexOf(b) - history.lastIndexOf(a) || popular[b] - popular[a] || a - b
      ).slice(0, k);
      return fill(scored.map(([item]) => item), scored.map(([, score]) => score), history, order, k, () => 0);
    },
  };
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
