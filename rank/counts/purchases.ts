import type { Dataset, Sample } from "../../data/dataset.ts";
import { reorderedTable, type SparseCounts, sparseCounts, sumCounts } from "./sparse.ts";

/** Distances between two purchases of a user that are counted one by one. */
export const LAGS = 5;
/** Latest items of a history that count at all. */
export const REACH = 10;
/** Share of the train targets that are the recent ones. */
const RECENT = 1 / 8;

/** What the train split says of items and of their order (items N). Only it is counted: no valid or test target. */
export interface PurchaseCounts {
  /** How often an item was the target so many purchases after another, for the distances 1 to {@link LAGS}. */
  readonly lags: readonly SparseCounts[];
  /** The same over the distances 1 to {@link REACH}, each counting 1 / distance. */
  readonly together: SparseCounts;
  /** (N) how often an item was a target. */
  readonly bought: Float32Array;
  /** (N) how often among the latest eighth of the targets. */
  readonly recent: Float32Array;
  /** (N) how often an item was bought twice in a row. */
  readonly repeats: Float32Array;
}

/** Counts the train split in one pass a table, in memory that is linear in its pairs of history item and target. */
export function countTrain(dataset: Pick<Dataset, "items" | "samples" | "histories">): PurchaseCounts {
  const { items: { length: itemCount }, samples: { train } } = dataset;
  const lags = Array.from({ length: LAGS }, (_, lag) =>
    sumCounts(itemCount, (add) => {
      for (const { history, target } of train) {
        if (history.length > lag) add(history[history.length - 1 - lag], target, 1);
      }
    }));
  const together = sumCounts(itemCount, (add) => {
    for (const { history, target } of train) {
      const reach = Math.min(REACH, history.length);
      for (let distance = 1; distance <= reach; distance++) {
        add(history[history.length - distance], target, 1 / distance);
      }
    }
  });
  const [bought, recent, repeats] = [0, 1, 2].map(() => new Float32Array(itemCount));
  for (const { history, target } of train) {
    bought[target]++;
    if (history.at(-1) === target) repeats[target]++;
  }
  for (const { target } of recentOf(dataset)) recent[target]++;
  return { lags, together, bought, recent, repeats };
}

/** The latest eighth of the samples where they stand in time order, else each user's last one. */
function recentOf({ samples: { train }, histories }: Pick<Dataset, "samples" | "histories">): Sample[] {
  if (histories.every(({ times }) => times !== undefined)) {
    return train.slice(train.length - Math.floor(train.length * RECENT));
  }
  return [...new Map(train.map((sample) => [sample.user, sample])).values()];
}

/** Most bytes that {@link countTrain} holds at a time, known before it starts. */
export function countingBytes({ items, samples: { train } }: Pick<Dataset, "items" | "samples">): number {
  const pairs = (reach: number) =>
    train.reduce((sum, { history }) => sum + Math.min(reach, history.length), 0);
  // The tables, and beside the last one, which is the largest, its counts before they are added up.
  return 8 * (pairs(LAGS) + 2 * pairs(REACH)) + items.length * (20 * (LAGS + 1) + 32);
}

/** Tensors of a file that holds the counts, by name. */
export function countTensors(counts: PurchaseCounts): Map<string, { shape: number[]; data: Float32Array }> {
  const { bought, recent, repeats } = counts;
  const arrays: [string, Float32Array][] = [["bought", bought], ["recent", recent], ["repeats", repeats]];
  for (const [name, { offsets, columns, values }] of tablesOf(counts)) {
    // Offsets may pass 2^24, where single precision ends; lengths of rows and item numbers do not.
    arrays.push([`${name}.lengths`, Float32Array.from(bought, (_, row) => offsets[row + 1] - offsets[row])]);
    arrays.push([`${name}.columns`, Float32Array.from(columns)], [`${name}.values`, values]);
  }
  return new Map(arrays.map(([name, data]) => [name, { shape: [data.length], data }]));
}

/** The counts of {@link countTensors}; undefined where tensors are missing or do not go together. */
export function countsFrom(
  tensors: ReadonlyMap<string, { data: Float32Array }>,
  itemCount: number,
): PurchaseCounts | undefined {
  const vectors = ["bought", "recent", "repeats"].map((name) => tensors.get(name)?.data);
  const tables = TABLES.map((name) => tableFrom(tensors, name, itemCount));
  if (vectors.some((vector) => vector?.length !== itemCount) || tables.includes(undefined)) return undefined;
  const [bought, recent, repeats] = vectors as Float32Array[];
  const [together, ...lags] = tables as SparseCounts[];
  return { lags, together, bought, recent, repeats };
}

/** Counts of items in another order: item i of the result is item `order[i]` of `counts`. */
export function reorderedCounts(
  { lags, together, bought, recent, repeats }: PurchaseCounts,
  order: readonly number[],
): PurchaseCounts {
  const vector = (values: Float32Array) => Float32Array.from(order, (item) => values[item]);
  return {
    lags: lags.map((table) => reorderedTable(table, order)),
    together: reorderedTable(together, order),
    bought: vector(bought),
    recent: vector(recent),
    repeats: vector(repeats),
  };
}

const TABLES = ["together", ...Array.from({ length: LAGS }, (_, lag) => `lag.${lag + 1}`)];

function tablesOf({ together, lags }: PurchaseCounts): [string, SparseCounts][] {
  return [together, ...lags].map((table, i) => [TABLES[i], table]);
}

function tableFrom(
  tensors: ReadonlyMap<string, { data: Float32Array }>,
  name: string,
  itemCount: number,
): SparseCounts | undefined {
  const [lengths, columns, values] = ["lengths", "columns", "values"].map((part) =>
    tensors.get(`${name}.${part}`)?.data
  );
  if (lengths?.length !== itemCount || !columns || columns.length !== values?.length) return undefined;
  const offsets = new Uint32Array(itemCount + 1);
  lengths.forEach((length, row) => offsets[row + 1] = offsets[row] + length);
  if (offsets[itemCount] !== columns.length || columns.some((column) => !(column < itemCount))) {
    return undefined;
  }
  return sparseCounts(offsets, Uint32Array.from(columns), values);
}
