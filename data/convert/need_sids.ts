import type { CorpusParts } from "../corpus_parts.ts";
import { UserError } from "../../base/user_error.ts";

/** The SIDs of a corpus, for a format that is nothing without them. Throws `UserError` where there are none. */
export function needSids({ name, sids }: CorpusParts, format: string): string[][] {
  if (sids !== undefined) return sids;
  throw new UserError(
    `Cannot write ${name} as ${format}: the format needs SIDs, the dataset has none. ` +
      "Make some with `genrec sid` and name them with --sids",
  );
}
