import { join } from "node:path";
import type { CorpusItem } from "../../data/corpus.ts";
import { loadCorpus } from "../../data/formats/load.ts";
import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import {
  CATALOGUE_FILE,
  CatalogueSchema,
  firstItems,
  itemOrder,
} from "../../train/runs/catalogue/catalogue.ts";
import { asOrdered, inverseOf } from "../../train/runs/catalogue/item_order.ts";
import type { StoredSids } from "./folder.ts";

/**
 * Items that the codebooks in the folder `sids` were learned from, in their order: those of `data`, else of the dataset
 * that they were made with, else undefined. Throws {@link UserError} where that dataset has another number of items, or
 * others than the folder's catalogue tells.
 */
export async function storedItems(
  { data, sids }: { data: string; sids: string },
  { recipe }: StoredSids,
): Promise<CorpusItem[] | undefined> {
  const from = data || recipe.data;
  if (from === undefined) return undefined;
  const { items } = await loadCorpus(from);
  if (items.length === recipe.learnedFrom) return await inTheirOrder(items, { sids, from });
  throw new UserError(
    `Cannot use ${from} with these SIDs: it has ${items.length} items, the SIDs were made for ${recipe.learnedFrom}. ` +
      "Name the dataset that they were made for with --data",
  );
}

async function inTheirOrder(
  items: CorpusItem[],
  { sids, from }: { sids: string; from: string },
): Promise<CorpusItem[]> {
  const path = join(sids, CATALOGUE_FILE);
  if (!await isFile(path)) return items;
  const catalogue = firstItems(await readJson(path, CatalogueSchema), items.length);
  // Ids that are numbers say nothing of a dataset without ids.
  const isNamed = items.some(({ id }, item) => id !== String(item));
  const known = isNamed ? catalogue : { ...catalogue, ids: undefined };
  const order = itemOrder(known, { items }, { run: sids, data: from, trainedOn: "" });
  return order ? asOrdered(items, inverseOf(order)) : items;
}

/** Items without names, for SIDs that were made without a dataset. */
export function namelessItems(count: number): CorpusItem[] {
  return Array.from({ length: count }, (_, item) => ({ id: String(item), title: "", categories: [] }));
}
