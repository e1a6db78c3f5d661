import { UserError } from "../../base/user_error.ts";
import type { RunFolder } from "./run_folder.ts";
import type { OpenRunOptions } from "./run_kind.ts";

/** Throws {@link UserError} where a run that scores items is to be opened as one that searches SIDs. */
export function refuseSearchOptions({ given }: RunFolder, options: OpenRunOptions): void {
  const { sids, prompts, maxHistory, normalisation = "auto", repetitionPenalty = 1, unconstrained } = options;
  const { weights = "float32" } = options;
  const flag = sids
    ? "--sids"
    : prompts
    ? "--prompts"
    : maxHistory
    ? "--max-history"
    : normalisation !== "auto"
    ? "--normalisation"
    : repetitionPenalty !== 1
    ? "--repetition-penalty"
    : unconstrained
    ? "--unconstrained"
    : weights !== "float32"
    ? "--weights"
    : undefined;
  if (flag === undefined) return;
  throw new UserError(
    `Cannot use ${flag} with ${given}: its model scores items and searches no SIDs. Leave it out`,
  );
}
