import type { TrainedBaseline } from "../../baselines/method.ts";

/** Values by item of a run, in the order of a dataset; `order`: see `itemOrder()`. */
export function asOrdered<T>(values: readonly T[], order: readonly number[] | undefined): T[] {
  return order ? order.map((item) => values[item]) : [...values];
}

/** For every item of a run its place in the dataset, of the order that goes the other way. */
export function inverseOf(order: readonly number[]): number[] {
  const inverse = new Array<number>(order.length);
  order.forEach((item, place) => inverse[item] = place);
  return inverse;
}

/** A baseline asked in the item numbers of a dataset that has its items in another order. */
export function reorderedBaseline(trained: TrainedBaseline, order: readonly number[]): TrainedBaseline {
  const inverse = inverseOf(order);
  const known = (history: readonly number[]) => history.map((item) => order[item]);
  const ordered = (scores: Float32Array) => Float32Array.from(order, (item) => scores[item]);
  return {
    items: trained.items,
    async rank(histories, k, wait) {
      const lists = await trained.rank(histories.map(known), k, wait);
      return lists.map(({ items, scores }) => ({ items: items.map((item) => inverse[item]), scores }));
    },
    scores: async (history) => ordered(await trained.scores(known(history))),
    async *scoreAll(histories) {
      for await (const scores of trained.scoreAll(histories.map(known))) yield ordered(scores);
    },
    ...trained.embeddings && {
      async embeddings() {
        const { dim, data } = await trained.embeddings!();
        const rows = new Float32Array(data.length);
        order.forEach((item, place) => rows.set(data.subarray(item * dim, (item + 1) * dim), place * dim));
        return { dim, data: rows };
      },
    },
    destroy: () => trained.destroy(),
  };
}
