import { UserError } from "../../base/user_error.ts";
import type { RunKind } from "../runs/run_kind.ts";

/** File in a folder of `genrec train` that tells its settings. */
export const TRAIN_FILE = "train.json";
/** Folder in it with the ranker, which stands for all; RANK_FOLDER.done is there once it has ended. */
export const RANK_FOLDER = "rank";
/** Folder in it with the decoder that the ranker has taught. */
export const TAUGHT_FOLDER = "taught";

/** Folders of `genrec train`, which stand for the ranker in them. */
export const trainFolder: RunKind = {
  name: "train folder",
  summary: "the folder of `genrec train`",
  matches: ({ names }) => names.includes(TRAIN_FILE),
  async open({ given, path, names }, options, openOther) {
    if (!names.includes(`${RANK_FOLDER}.done`)) {
      throw new UserError(
        `Cannot recommend with ${given}: its ranker is not there yet. Go on with \`genrec train --out ${given}\` and the ` +
          "--data of before, or name one of its runs that has ended, such as " + `${given}/decoder`,
      );
    }
    return await openOther(`${path}/${RANK_FOLDER}`, options);
  },
};
