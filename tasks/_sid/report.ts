import { reportCatalogue } from "../../sid/report/catalogue.ts";
import type { SidReportFile } from "../../sid/report/html.ts";
import { formatSid } from "../../sid/tokens.ts";
import type { StoredSids } from "./folder.ts";
import type { ItemNames } from "./names.ts";

/** Tokens of codewords from 0, counted from `codeOffset` as the index has them. */
export function tokensOf(sid: ArrayLike<number>, codeOffset: number): string[] {
  return formatSid(Array.from(sid, (codeword) => codeword + codeOffset));
}

/** The report of a catalogue with SIDs. */
export function makeReport(
  { recipe, tokens, coded, embeddings, model: { codebookSizes } }: StoredSids,
  names: ItemNames | undefined,
  facts: Pick<SidReportFile, "zeroRows" | "notes">,
): SidReportFile {
  const levels = codebookSizes.length;
  return {
    method: recipe.method,
    settings: recipe.settings,
    embeddings: recipe.parts.map(({ from }) => from).join(" + ") +
      (recipe.aligned ? `, aligned with ${recipe.aligned.from}` : ""),
    policy: recipe.collisions,
    ...reportCatalogue({
      embeddings,
      coded: tokens.map((_, item) =>
        tokensOf(coded.subarray(item * levels, (item + 1) * levels), recipe.codeOffset)
      ),
      sids: tokens,
      codebookSizes,
      errors: recipe.errors,
      ...(names && { titles: names.titles, labels: names.labels }),
    }),
    ...facts,
  };
}
