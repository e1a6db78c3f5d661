import { z } from "zod";
import { UserError } from "../../../base/user_error.ts";
import { catalogueScores, transitionScorer } from "../../../eval/count_scorers.ts";
import { gain } from "./hits.ts";
import { runScorer } from "../scorers/run.ts";
import { askedTwice, type ItemScorer, type ScorerMethod } from "../scorers/scorer.ts";
import { highest } from "../../../eval/highest.ts";
import { MOST_TAUGHT, type RewardContext, type RewardMethod, type TaughtItem } from "./reward.ts";

/** Counts of what was bought after what in the train split: see `transitions` of the baselines. */
const transitionCounts: ScorerMethod = {
  source: "transitions",
  open(source, { dataset }) {
    if (source !== "transitions") return undefined;
    const count = dataset.items.length;
    const scorer = transitionScorer(dataset.samples.train, count);
    return { scores: (history) => catalogueScores(scorer, history, count) };
  },
};

/** One line a kind of scorer. */
const SCORERS: readonly ScorerMethod[] = [
  transitionCounts,
  runScorer,
];

/** Settings of {@link collaborative}. */
export interface CollaborativeRewardConfig {
  /** What {@link ScorerMethod.source} says, one a recommender. */
  collaborative: string[];
}

/**
 * How well other recommenders like a completion: 1 / log2(rank + 1) with the item's rank, from 1, among a recommender's
 * scores of the catalogue for the history, averaged over recommenders. So it lies in (0, 1] whatever their scales, unlike
 * the raw logits of MiniOneRec's CF reward. 0 for the items that a recommender likes least, and for examples without a
 * history. Of items that share a SID the best counts.
 */
export const collaborative: RewardMethod<CollaborativeRewardConfig> = {
  name: "collaborative",
  aliases: ["sasrec"],
  summary: "1/log2(rank + 1) in the lists of other recommenders, counts of transitions unless named",
  Config: z.strictObject({
    collaborative: z.array(z.string()).min(1).default(["transitions"]).describe(
      "scorers of the reward collaborative: transitions, and run directories",
    ),
  }),
  async create(context, { collaborative: sources }) {
    const scorers: ItemScorer[] = [];
    for (const source of sources) scorers.push(await openScorer(source, context));
    context.warn(
      "Reward collaborative pays for what another recommender likes, right or wrong: the model may learn to copy that " +
        "one (reward hacking). Bound it by --beta, and trust NDCG on valid alone",
    );
    // Without a target an example is rewarded and then taught, else only rewarded.
    const scoresOf = context.isOpen
      ? askedTwice(scorers)
      : (history: readonly number[]) => Promise.all(scorers.map((scorer) => scorer.scores(history)));
    return {
      async score({ completions, example }) {
        const total = new Float64Array(completions.length);
        if (example.history.length === 0) return total;
        for (const scores of await scoresOf(example.history)) {
          const least = scores.reduce((low, score) => Math.min(low, score), Infinity);
          for (const [i, { items }] of completions.entries()) {
            const own = Math.max(...items.map((item) => scores[item]));
            if (own === least) continue;
            const better = scores.reduce((count, score) => count + (score > own ? 1 : 0), 0);
            total[i] += gain(better) / scorers.length;
          }
        }
        return total;
      },
      async teach({ history }) {
        if (history.length === 0) return [];
        const lists = (await scoresOf(history)).map(taughtBy);
        const shares = new Map<number, number>();
        for (const { item, share } of lists.flat()) {
          shares.set(item, (shares.get(item) ?? 0) + share / lists.length);
        }
        const best = [...shares].sort(([a, x], [b, y]) => y - x || a - b).slice(0, MOST_TAUGHT);
        return inShares(best.map(([item, share]) => ({ item, share })));
      },
    };
  },
};

/** The first items of a recommender, in shares of what hits at their places add to DCG. */
function taughtBy(scores: Float32Array): TaughtItem[] {
  const least = scores.reduce((low, score) => Math.min(low, score), Infinity);
  const first = highest(scores, MOST_TAUGHT).filter((item) => scores[item] > least);
  return inShares(first.map((item, place) => ({ item, share: gain(place) })));
}

/** The same items with shares that add up to one. */
function inShares(items: readonly TaughtItem[]): TaughtItem[] {
  const sum = items.reduce((total, { share }) => total + share, 0);
  return items.map(({ item, share }) => ({ item, share: share / sum }));
}

async function openScorer(source: string, context: RewardContext): Promise<ItemScorer> {
  for (const method of SCORERS) {
    const scorer = await method.open(source, context);
    if (scorer !== undefined) return scorer;
  }
  throw new UserError(
    `Cannot reward by the scores of ${JSON.stringify(source)}: it is no recommender. Expected ` +
      SCORERS.map(({ source }) => source).join(" or "),
  );
}
