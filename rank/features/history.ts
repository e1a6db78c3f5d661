import type { FeatureGroup } from "./features.ts";

/**
 * Where a candidate stands in the history: 1 / (its distance from the end, 1 for the latest), how often it is there, both
 * 0 where it is not; and of the history its length and ln(1 + purchases) of its latest item.
 */
export const historyFeatures: FeatureGroup = {
  name: "history",
  summary: "place of a candidate in the history, and what the history is like",
  open({ counts: { bought } }) {
    return {
      columns: [
        { name: "recency" },
        { name: "times" },
        { name: "length", signed: true },
        { name: "last.bought" },
      ],
      write({ history }, items, put) {
        const times = new Map<number, number>();
        for (const item of history) times.set(item, (times.get(item) ?? 0) + 1);
        const last = history.at(-1);
        for (const [i, item] of items.entries()) {
          const count = times.get(item) ?? 0;
          put(i, 0, count === 0 ? 0 : 1 / (history.length - history.lastIndexOf(item)));
          put(i, 1, count);
          put(i, 2, history.length);
          put(i, 3, last === undefined ? 0 : Math.log1p(bought[last]));
        }
      },
    };
  },
};
