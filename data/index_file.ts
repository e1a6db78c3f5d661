import { numbered, readJson } from "./json_file.ts";
import { RawIndex } from "./schema.ts";
import { UserError } from "./user_error.ts";

/**
 * Reads an `index.json`: one token list an item, in item order. Throws `UserError` when it does not hold exactly
 * items 0 … `itemCount` - 1 or a token is not of the form `<x_n>`.
 */
export async function loadIndex(path: string, itemCount: number): Promise<string[][]> {
  const record = await readJson(path, RawIndex);
  const count = Object.keys(record).length;
  if (count !== itemCount) {
    throw new UserError(
      `Cannot use index ${path}: expected SIDs of ${itemCount} items as in the dataset, found ${count}. ` +
        `Use the index that was built for this dataset`,
    );
  }
  return numbered(record, path);
}

/** The text of an `index.json`, one item a line. */
export function formatIndex(sids: string[][]): string {
  const lines = sids.map((sid, item) =>
    `"${item}": [${sid.map((token) => JSON.stringify(token)).join(", ")}]`
  );
  return `{\n${lines.join(",\n")}\n}\n`;
}
