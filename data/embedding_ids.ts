import { z } from "zod";
import { readJson } from "./json_file.ts";
import { UserError } from "./user_error.ts";

const IdList = z.object({
  format: z.literal("genrec-embeddings"),
  /** What made the vectors, and how. */
  provider: z.string(),
  settings: z.record(z.string(), z.unknown()),
  /** How an item became a text, for providers of texts. */
  fields: z.array(z.string()).optional(),
  maxCharacters: z.number().optional(),
  dialect: z.string().optional(),
  /** Id of each row. */
  ids: z.array(z.string()),
});

/** What stands in the id list beside an embedding file. */
export type EmbeddingIds = z.output<typeof IdList>;

/** Where `genrec embed` puts the id list of an embedding file: `items.ids.json` beside `items.npy`. */
export function idListPath(embeddings: string): string {
  return embeddings.replace(/\.npy$/, "") + ".ids.json";
}

/**
 * Reads an id list and checks it: row `r` belongs to item `r`, under its number or its id in `itemIds`, which are those of
 * the dataset where there is one.
 * @throws {UserError} for ids that are missing, doubled or in another order.
 */
export async function loadEmbeddingIds(
  path: string,
  rows: number,
  itemIds?: readonly string[],
): Promise<EmbeddingIds> {
  const list = await readJson(path, IdList);
  const { ids } = list;
  const fail = (problem: string): never => {
    throw new UserError(`Cannot use ${path}: ${problem}. Make the embeddings again with \`genrec embed\``);
  };
  if (ids.length !== rows) fail(`it lists ${ids.length} ids, expected one for each of the ${rows} rows`);
  const rowOf = new Map<string, number>();
  ids.forEach((id, row) => {
    if (id === "") fail(`row ${row} has no id (rows count from 0)`);
    const first = rowOf.get(id);
    if (first !== undefined) {
      fail(`id ${JSON.stringify(id)} stands for rows ${first} and ${row}, expected one`);
    }
    rowOf.set(id, row);
  });
  // Without a dataset, ids that begin with "0" are item numbers; others may be anything.
  const byNumber = ids.every((id, row) => id === String(row));
  if (byNumber || (itemIds === undefined && ids[0] !== "0")) return list;
  const expected = itemIds ?? ids.map((_, row) => String(row));
  const wrong = expected.findIndex((id, row) => ids[row] !== id);
  if (wrong >= 0) {
    fail(
      rowOf.has(expected[wrong])
        ? `row ${wrong} is item ${JSON.stringify(ids[wrong])}, expected ${
          JSON.stringify(expected[wrong])
        }, which ` +
          `is row ${rowOf.get(expected[wrong])}`
        : `item ${JSON.stringify(expected[wrong])} is missing, row ${wrong} is ${JSON.stringify(ids[wrong])}`,
    );
  }
  return list;
}
