import { UserError } from "../../base/user_error.ts";
import type { RunKind } from "./run_kind.ts";

/** Folders of `genrec sid`: codebooks and an index, which name items but know nothing of what follows what. */
export const sidFolder: RunKind = {
  name: "SID folder",
  matches: ({ names }) => names.includes("sid.json"),
  open({ given }) {
    throw new UserError(
      `Cannot recommend with ${given}: it holds SIDs of \`genrec sid\`, which name items and rank none. Train a model ` +
        `on them first: \`genrec sft --data DATASET --sids ${given} --out RUN\`, then name RUN`,
    );
  },
};
