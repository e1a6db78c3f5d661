import { formatIndex, formatNewTokens, newTokens } from "../../data/index_file.ts";
import { FILES, type Recipe } from "./folder.ts";

/** The files that training reads, by name; `sids[i]` are the tokens of item `i`. */
export function indexFiles(
  sids: readonly (readonly string[])[],
  { indexStyle, tokenOrder }: Pick<Recipe, "indexStyle" | "tokenOrder">,
): [string, string][] {
  return [
    [FILES.newTokens, formatNewTokens(newTokens(sids, tokenOrder))],
    [FILES.index, formatIndex(sids, indexStyle)],
  ];
}
