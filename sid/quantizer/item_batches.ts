import { shuffledOrder } from "../../base/shuffle.ts";

/** Rows to train on and rows held out, both ascending. */
export function splitItems(
  rows: number,
  holdOut: number,
  seed: number,
): { items: Uint32Array; unseen: Uint32Array } {
  const order = shuffledOrder(rows, seed, 0);
  const held = Math.round(holdOut * rows);
  return { unseen: order.slice(0, held).sort(), items: order.slice(held).sort() };
}

/**
 * All items in batches, shuffled; where one batch holds them all their order says nothing and stays. Items with the same
 * entry in `groups` (one a row of the data) follow one another, so that most of them share a batch.
 */
export function shuffledBatches(
  items: Uint32Array,
  batchSize: number,
  seed: number,
  epoch: number,
  groups?: ArrayLike<string | number>,
): Uint32Array[] {
  if (batchSize >= items.length) return [items];
  let order = shuffledOrder(items.length, seed, epoch).map((at) => items[at]);
  if (groups) {
    const members = new Map<string | number, number[]>();
    for (const item of order) {
      const group = members.get(groups[item]);
      if (group) group.push(item);
      else members.set(groups[item], [item]);
    }
    order = Uint32Array.from([...members.values()].flat());
  }
  return Array.from(
    { length: Math.ceil(items.length / batchSize) },
    (_, batch) => order.subarray(batch * batchSize, (batch + 1) * batchSize),
  );
}
