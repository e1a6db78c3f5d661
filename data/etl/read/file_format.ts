import { UserError } from "../../../base/user_error.ts";
import type { TableFormat } from "../source.ts";

const COMPRESSED = /\.(gz|zst)$/i;

/** How a file with this name is read: by its ending, before `.gz` or `.zst`. */
export function formatOf(path: string): TableFormat {
  const plain = path.replace(/\?.*$/, "").replace(COMPRESSED, "");
  const ending = plain.match(/\.([a-z]+)$/i)?.[1].toLowerCase();
  switch (ending) {
    case "json":
    case "jsonl":
    case "ndjson":
      return { kind: "json" };
    case "csv":
      return delimited(",");
    case "tsv":
    case "tab":
    case "inter":
      return delimited("\t");
    case "parquet":
      return { kind: "parquet" };
    default:
      throw new UserError(
        `Cannot read ${path}: expected a name that ends in .json, .jsonl, .csv, .tsv, .inter or .parquet, with or without ` +
          `.gz or .zst. Unpack or rename the file, or export its table as one of these`,
      );
  }
}

/** Delimited text with a header line and `"` quotes. */
export function delimited(delimiter: string): TableFormat {
  return { kind: "csv", delimiter, header: true, quote: '"' };
}
