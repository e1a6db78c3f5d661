import type { Item, Sample, Split } from "../data/dataset.ts";
import { UserError } from "../data/user_error.ts";
import { popularity } from "./baselines.ts";
import {
  bootstrapInterval,
  DEFAULT_KS,
  hitsAtK,
  type Interval,
  mean,
  ndcgAtK,
  type Rank,
} from "./metrics.ts";
import type { Ranked, Recommender } from "./recommender.ts";

/** What to evaluate, and how. */
export interface EvaluateOptions {
  /** Its name, for the report. */
  split: Split;
  /** The samples of that split. */
  samples: readonly Sample[];
  /** Samples of the train split in time order: items that share a SID are listed by how often they occur there. */
  train: readonly Sample[];
  /** The catalogue (N). */
  items: readonly Item[];
  /** What predictions are compared by (N): SIDs as joined token strings, or item numbers where items are ranked. */
  sids: readonly string[];
  /** What is evaluated. */
  recommend: Recommender;
  /** Beams asked for; cut-offs beyond them are left out. */
  beams: number;
  /** Samples a call of `recommend`. */
  batch: number;
  /** Cut-offs; default {@link DEFAULT_KS}. */
  ks?: readonly number[];
  /** Of the bootstrap intervals. */
  seed: number;
  /** Called for each user in order, and awaited. */
  onPrediction?: (prediction: Prediction) => void | Promise<void>;
  /** Called after each batch. */
  onProgress?: (done: number, total: number) => void;
}

/** One line of `predictions.jsonl`. */
export interface Prediction {
  /** Name of the user. */
  user: string;
  /** Item numbers, oldest first. */
  history: number[];
  /** Item number. */
  target: number;
  /** Place of the target's SID among the predicted SIDs, from 0; null where it is missing. */
  rank: Rank;
  /** Predicted item numbers, best first; items that share a SID stand together, most popular first. */
  items: number[];
  /** Their titles. */
  titles: string[];
  /** Scores of their SIDs, descending. */
  scores: number[];
}

/** Contents of `metrics.json`. Numbers keyed by cut-off are means over users. */
export interface Evaluation {
  /** Split that was evaluated. */
  split: Split;
  /** Samples in it. */
  users: number;
  /** Beams asked for. */
  beams: number;
  /** Hit rate on SIDs: a target counts as hit by its SID even where other items share it, as in MiniOneRec. */
  hr: Record<string, number>;
  /** NDCG on SIDs, 1 / log2(rank + 2) for a hit. */
  ndcg: Record<string, number>;
  /** The same on items: a hit counts 1 / (items that share the SID), the expected value of drawing one of them. */
  hrItem: Record<string, number>;
  /** NDCG on items, shared in the same way. */
  ndcgItem: Record<string, number>;
  /** Predictions that are no SID of the catalogue; they keep their place. */
  invalid: number;
  /** Predictions that stood earlier in the same list; they keep their place. */
  duplicates: number;
  /** 95 % bootstrap intervals of `hr` and `ndcg`. */
  ci95: { hr: Record<string, Interval>; ndcg: Record<string, Interval> };
  /** Wall time of `recommend`. */
  secondsPerUser: number;
}

/**
 * Ranks every sample of a split and scores the lists.
 * @throws {UserError} if the split is empty, or items and SIDs differ in number.
 */
export async function evaluateSplit(options: EvaluateOptions): Promise<Evaluation> {
  const { split, samples, items, sids, recommend, beams, batch, seed, onPrediction, onProgress } = options;
  if (samples.length === 0) {
    throw new UserError(`Cannot evaluate: split ${split} has no samples. Choose another split`);
  }
  if (items.length !== sids.length) {
    throw new UserError(
      `Cannot evaluate: ${sids.length} SIDs for ${items.length} items, expected one an item. Use the index of this ` +
        "dataset",
    );
  }
  const members = itemsBySid(options);
  const ranks: Rank[] = [];
  let invalid = 0;
  let duplicates = 0;
  let milliseconds = 0;
  for (let start = 0; start < samples.length; start += batch) {
    const users = samples.slice(start, start + batch);
    const before = performance.now();
    const lists = await recommend(users);
    milliseconds += performance.now() - before;
    if (lists.length !== users.length) {
      throw new Error(
        `recommend() returned ${lists.length} lists for ${users.length} samples: expected one each`,
      );
    }
    for (const [i, list] of lists.entries()) {
      const rank = list.sids.indexOf(sids[users[i].target]);
      ranks.push(rank < 0 ? null : rank);
      invalid += list.sids.filter((sid) => !members.has(sid)).length;
      duplicates += list.sids.length - new Set(list.sids).size;
      await onPrediction?.(predictionOf(users[i], ranks.at(-1)!, list, items, members));
    }
    onProgress?.(ranks.length, samples.length);
  }

  const evaluation: Evaluation = {
    split,
    users: samples.length,
    beams,
    hr: {},
    ndcg: {},
    hrItem: {},
    ndcgItem: {},
    invalid,
    duplicates,
    ci95: { hr: {}, ndcg: {} },
    secondsPerUser: milliseconds / 1000 / samples.length,
  };
  const groupSizes = samples.map(({ target }) => members.get(sids[target])!.length);
  const shared = (values: Float64Array) => mean(values.map((value, user) => value / groupSizes[user]));
  for (const k of (options.ks ?? DEFAULT_KS).filter((k) => k <= beams)) {
    const hits = hitsAtK(ranks, k);
    const gains = ndcgAtK(ranks, k);
    evaluation.hr[k] = mean(hits);
    evaluation.ndcg[k] = mean(gains);
    evaluation.hrItem[k] = shared(hits);
    evaluation.ndcgItem[k] = shared(gains);
    evaluation.ci95.hr[k] = bootstrapInterval(hits, { seed });
    evaluation.ci95.ndcg[k] = bootstrapInterval(gains, { seed });
  }
  return evaluation;
}

/** Item numbers of each SID, most popular in `train` first, then by number. */
function itemsBySid({ train, items, sids }: EvaluateOptions): Map<string, number[]> {
  const members = new Map<string, number[]>();
  for (const item of popularity(train, items.length).rank([], items.length).items) {
    const group = members.get(sids[item]);
    if (group) group.push(item);
    else members.set(sids[item], [item]);
  }
  return members;
}

function predictionOf(
  { user, history, target }: Sample,
  rank: Rank,
  list: Ranked,
  catalogue: readonly Item[],
  members: ReadonlyMap<string, number[]>,
): Prediction {
  const items: number[] = [];
  const scores: number[] = [];
  const listed = new Set<string>();
  list.sids.forEach((sid, i) => {
    if (listed.has(sid)) return;
    listed.add(sid);
    for (const item of members.get(sid) ?? []) {
      items.push(item);
      scores.push(list.scores[i]);
    }
  });
  return { user, history, target, rank, items, titles: items.map((item) => catalogue[item].title), scores };
}
