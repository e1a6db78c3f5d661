import type { Split } from "../data/dataset.ts";
import type { ResultRow } from "../data/result_files/read.ts";
import { UserError } from "../base/user_error.ts";
import { summary } from "./evaluate.ts";
import { credited, DEFAULT_KS, hitsAtK, type Interval, mean, ndcgAtK, type Rank } from "./metrics.ts";

/** Metrics of another project's predictions; numbers keyed by cut-off are means over users. */
export interface Score {
  /** Rows. */
  users: number;
  /** Predictions a row; cut-offs beyond them are left out. */
  beams: number;
  /** Hit rate on SID strings, as both projects count. */
  hr: Record<string, number>;
  /** NDCG on SID strings, 1 / log2(rank + 2) for a hit. */
  ndcg: Record<string, number>;
  /** Hits count 1 / (items that share the SID), the expected value of drawing one of them. With an index only. */
  hrItem?: Record<string, number>;
  /** NDCG shared in the same way. With an index only. */
  ndcgItem?: Record<string, number>;
  /** Predictions that stood earlier in the same row; they keep their place. */
  duplicates: number;
  /** Predictions that are no SID of the index; they keep their place. With an index only. */
  invalid?: number;
  /** Those of `invalid` that stand before the hit or in a row without one: MiniOneRec's `CC`. */
  invalidBeforeHit?: number;
  /** 95 % bootstrap intervals of `hr` and `ndcg`. */
  ci95: { hr: Record<string, Interval>; ndcg: Record<string, Interval> };
}

/** How to score. */
export interface ScoreOptions {
  /** The index: the joined SID of each item (N). */
  sids?: readonly string[];
  /** Cut-offs; default {@link DEFAULT_KS}. */
  ks?: readonly number[];
  /** Of the bootstrap intervals. */
  seed: number;
}

/**
 * Scores rows as MiniOneRec's and MIMIGenRec's evaluations do: a hit is the first prediction that equals the target as
 * text. (MIMIGenRec's rewards compare codewords instead, whatever their letters.)
 * @throws {UserError} if a target is not in the index, or no cut-off is within the predictions.
 */
export function scoreResults(
  rows: readonly ResultRow[],
  { sids, ks = DEFAULT_KS, seed }: ScoreOptions,
): Score {
  const beams = rows[0].predictions.length;
  const within = ks.filter((k) => k <= beams);
  if (within.length === 0) {
    throw new UserError(
      `Cannot cut lists of ${beams} predictions at ${
        ks.join(", ")
      }: expected one of them to be ${beams} or less. ` +
        "Lower --ks",
    );
  }
  const groupSizes = sids && countOf(sids);
  const ranks: Rank[] = [];
  let duplicates = 0;
  let invalid = 0;
  let invalidBeforeHit = 0;
  for (const { place, target, predictions } of rows) {
    if (groupSizes && !groupSizes.has(target)) {
      throw new UserError(
        `Cannot score ${place}: its target ${target} is not in the index of ${
          sids!.length
        } items. Use the index that ` +
          "the model was trained with",
      );
    }
    const rank = predictions.indexOf(target);
    ranks.push(rank < 0 ? null : rank);
    duplicates += predictions.length - new Set(predictions).size;
    predictions.forEach((sid, i) => {
      if (groupSizes === undefined || groupSizes.has(sid)) return;
      invalid++;
      if (rank < 0 || i < rank) invalidBeforeHit++;
    });
  }

  const { users, hr, ndcg, ci95 } = summary(ranks, new Float64Array(rows.length).fill(1), within, seed);
  const sharing = groupSizes && Float64Array.from(rows, ({ target }) => groupSizes.get(target)!);
  const shared = (metric: typeof hitsAtK, sharing: Float64Array) =>
    Object.fromEntries(within.map((k) => [k, mean(credited(metric(ranks, k), sharing))]));
  return {
    users,
    beams,
    hr,
    ndcg,
    ...(sharing && { hrItem: shared(hitsAtK, sharing), ndcgItem: shared(ndcgAtK, sharing) }),
    duplicates,
    ...(groupSizes && { invalid, invalidBeforeHit }),
    ci95,
  };
}

/**
 * Checks that rows are those of a split, in any order: `targets` are the joined SIDs of its samples.
 * @throws {UserError} if rows are missing, there twice or of another split.
 */
export function checkRows(rows: readonly ResultRow[], targets: readonly string[], split: Split): void {
  if (rows.length !== targets.length) {
    const few = rows.length < targets.length;
    throw new UserError(
      `Cannot score ${rows.length} rows as split ${split}: it has ${targets.length} samples, expected a row for ` +
        (few
          ? "each. Name all shards, or evaluate the missing ones again"
          : "each. Name every shard once, or another --split"),
    );
  }
  const expected = countOf(targets), found = countOf(rows.map(({ target }) => target));
  const odd = rows.find(({ target }) => found.get(target) !== expected.get(target));
  if (odd === undefined) return;
  const { place, target } = odd;
  throw new UserError(
    `Cannot score ${place} as split ${split}: ${
      found.get(target)
    } rows have its target ${target}, expected ` +
      `${expected.get(target) ?? 0}. Use the data and the index of that evaluation, and every row once`,
  );
}

function countOf(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
