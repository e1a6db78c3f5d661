import type { CorpusItem } from "../../data/corpus.ts";
import { loadCorpus } from "../../data/formats/load.ts";
import { UserError } from "../../base/user_error.ts";
import type { StoredSids } from "./folder.ts";

/**
 * Items that the codebooks were learned from: those of `data`, else of the dataset that they were made with, else
 * undefined. Throws {@link UserError} where that dataset has another number of items.
 */
export async function storedItems(data: string, { recipe }: StoredSids): Promise<CorpusItem[] | undefined> {
  const from = data || recipe.data;
  if (from === undefined) return undefined;
  const { items } = await loadCorpus(from);
  if (items.length === recipe.learnedFrom) return items;
  throw new UserError(
    `Cannot use ${from} with these SIDs: it has ${items.length} items, the SIDs were made for ${recipe.learnedFrom}. ` +
      "Name the dataset that they were made for with --data",
  );
}

/** Items without names, for SIDs that were made without a dataset. */
export function namelessItems(count: number): CorpusItem[] {
  return Array.from({ length: count }, (_, item) => ({ id: String(item), title: "", categories: [] }));
}
