import { listedItems } from "../../eval/item_lists.ts";
import type { TriedRun } from "../../web/studio/messages.ts";
import { recommendItems } from "../_recommend/answer.ts";
import type { ExploredRun } from "./explored_run.ts";

/** Features of an item that are told. */
const EFFECTS = 6;

/** What somebody is asked for. */
export interface Tried {
  /** Item numbers, oldest first; at least one. */
  history: readonly number[];
  top: number;
  beams: number;
  excludeSeen: boolean;
}

/** What a run recommends after a history and how it came to that. Throws `UserError` for items that it does not know. */
export async function tryRun(
  run: ExploredRun,
  { history, top, beams, excludeSeen }: Tried,
): Promise<TriedRun> {
  run.checkItems(history);
  const { recommender } = run;
  const { scoreUnit } = recommender;
  const request = { history, excluded: new Set(excludeSeen ? history : []) };
  if (recommender.explain) {
    const { features, items } = await recommender.explain(request, { k: top });
    return {
      scoreUnit,
      items: items.map(({ item, score, effects }) => ({
        ...run.named(item),
        score,
        effects: effects.map((effect, i) => ({ feature: features[i], effect }))
          .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, EFFECTS),
      })),
    };
  }
  if (recommender.trace && !recommender.reason) {
    const { candidates, kept } = await recommender.trace(request, { k: top, beams });
    const items = listedItems(candidates, top).map(({ item, score }) => ({ ...run.named(item), score }));
    const listedBelow = (prefix: readonly string[]) =>
      items.filter(({ item }) => {
        const sid = recommender.catalogue.sids![item];
        return prefix.every((token, i) => sid[i] === token);
      }).length;
    return {
      scoreUnit,
      items,
      kept: kept.map((level) =>
        level.map(({ prefix, score }) => ({ prefix: [...prefix], score, listed: listedBelow(prefix) }))
      ),
    };
  }
  const [{ recommendations, reasoning }] = await recommendItems(recommender, [{ request, say: [] }], {
    top,
    beams,
  });
  return { scoreUnit, items: recommendations, ...(reasoning !== undefined && { reasoning }) };
}
