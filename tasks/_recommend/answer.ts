import { listedItems } from "../../eval/item_lists.ts";
import {
  type Catalogue,
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
  withReasons,
} from "../../eval/recommender.ts";
import { withTurns } from "./dialogue.ts";
import type { HistoryRow } from "./histories.ts";
import type { ItemLookup } from "./item_lookup.ts";

/** An item as answers name it. */
export interface ListedItem {
  /** Item number. */
  item: number;
  /** Id in the data, where that is not the item number. */
  id?: string;
  /** Absent where items are scored by themselves. */
  sid?: string;
  title: string;
}

/** An item that is recommended. */
export interface Recommendation extends ListedItem {
  /** See `ScoreUnit`. */
  score: number;
}

/** What somebody is answered. */
export interface Recommended {
  /** What the user said before, and the item that it was answered with; absent where nothing. */
  turns?: { say: string; answer: ListedItem }[];
  /** Why, in the words of the model; absent where it writes no reasons. */
  reasoning?: string;
  /** Best first. */
  recommendations: Recommendation[];
}

/** An item by its number. */
export function listedItem(
  { catalogue: { sids, items } }: { catalogue: Pick<Catalogue, "items" | "sids"> },
  item: number,
): ListedItem {
  const { id, title } = items[item];
  return { item, ...(id !== undefined && { id }), ...(sids && { sid: sids[item].join("") }), title };
}

/** Somebody to recommend to, and what they say turn by turn. */
export interface Dialogue {
  request: RecommendRequest;
  say: readonly string[];
}

/** What a recommender is asked for somebody, who is not shown the items of `excluded`. */
export function dialogueOf(
  { history, preference, say = [] }: HistoryRow,
  excluded: ReadonlySet<number>,
): Dialogue {
  return { request: { history, preference, excluded }, say };
}

/**
 * The best `top` items for everybody: after all turns of what they say, each of which but the last is answered with the
 * best item, and after the reasons that the model writes, where it writes any.
 */
export async function recommendItems(
  recommender: Recommender,
  asked: readonly Dialogue[],
  { top, wait, ...options }: Omit<RecommendOptions, "k"> & { top: number },
): Promise<Recommended[]> {
  const ask = async (requests: readonly RecommendRequest[], wait?: RecommendOptions["wait"]) => {
    const reasoned = await withReasons(recommender, requests);
    const lists = await recommender.recommend(reasoned, { k: top, ...options, wait });
    return { requests: reasoned, lists };
  };
  const said = await withTurns(
    asked.map(({ request }) => request),
    asked.map(({ say }) => say),
    async (turn) => {
      const { requests, lists } = await ask(turn);
      return lists.map((candidates, i) => ({
        item: listedItems(candidates, 1)[0].item,
        reasoning: requests[i].reasoning,
      }));
    },
  );
  const { requests, lists } = await ask(said, wait);
  return lists.map((candidates, i) => {
    const { reasoning, turns = [] } = requests[i];
    const before = turns.flatMap(({ said: say, answered }) =>
      answered === undefined ? [] : { say, answer: listedItem(recommender, answered) }
    );
    const recommendations = listedItems(candidates, top).map(({ item, score }) => ({
      ...listedItem(recommender, item),
      score,
    }));
    return {
      ...(before.length > 0 && { turns: before }),
      ...(reasoning !== undefined && { reasoning }),
      recommendations,
    };
  });
}

/** What is written for somebody: who was asked for, and the answer, or why there is none. */
export type AnswerLine = Partial<Recommended> & {
  user?: string | number;
  /** Item numbers, oldest first. */
  history: number[];
  /** The same by the ids of the data, where that has any. */
  historyIds?: string[];
  /** Entries that the data does not have. */
  unknown?: (string | number)[];
  error?: string;
};

/** The line of a user's answer. */
export function answerLine(
  { user, history, unknown }: HistoryRow,
  answer: Recommended | { error: string },
  lookup: ItemLookup,
): AnswerLine {
  return {
    ...(user !== undefined && { user }),
    history,
    ...(lookup.hasIds && { historyIds: history.map((item) => lookup.idOf(item) ?? String(item)) }),
    ...(unknown.length > 0 && { unknown }),
    ...answer,
  };
}
