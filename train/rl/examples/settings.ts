import { z } from "zod";
import { count, seed } from "../../../base/fields.ts";
import type { RlExampleSettings } from "../config.generated.ts";

export type { RlExampleSettings };

/** Settings of what reinforcement learns from, but for the seed, which is that of the run. */
export const rlExampleFields = {
  tasks: z.array(z.string()).default([]).describe(
    "names, each with a weight such as titles-to-sid=0.5; none: what the run can be asked, as MiniOneRec mixes it",
  ),
  titleHistories: count(0).default(10_000).describe("most rows of titles-to-sid; 0: all"),
  targets: z.enum(["own", "all", "none"]).default("own").describe(
    "own: right is what the row says; all: also what other rows with the same prompt say; none: asked is what comes after " +
      "all that a user bought, which nobody knows: for rewards by other recommenders",
  ),
  rows: z.string().default("").describe("file of task rows; without it, rl/train.json of the dataset"),
  preferences: z.string().default("").describe("JSON or JSONL of user preferences, for preference-to-sid"),
};

/** {@link RlExampleSettings} with its checks and defaults. */
export const RlExampleSchema = z.strictObject({ ...rlExampleFields, seed }).describe(
  "What reinforcement learns from, and the seed of the draw.",
);
