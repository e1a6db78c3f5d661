import { z } from "zod";

/** What reinforcement learns from. */
export interface RlExampleSettings {
  /**
   * Names of tasks that are answered with one SID, each with a weight such as `titles-to-sid=0.5`, 1 where none stands.
   * Default: none, which means what the run learned, as MiniOneRec mixes it: see `defaultTasks()`.
   */
  tasks: string[];
  /** Most rows of `titles-to-sid`, drawn once with the seed; 0: all. Default: 10,000, as MiniOneRec. */
  titleHistories: number;
  /**
   * `own`: right is what the row says; `all`: also what other train rows with the same prompt say. Default: `own`.
   */
  targets: "own" | "all";
  /** File of rows for task `rows`; "": `rl/train.json` of the dataset's directory, as MIMIGenRec lays it out. */
  rows: string;
  /** JSON or JSONL file of user preferences, for `preference-to-sid`. */
  preferences: string;
  /** Of the draw. */
  seed: number;
}

/** Flags of {@link RlExampleSettings}, but for the seed, which is that of the run. */
export const RlExampleFlags = {
  tasks: z.array(z.string()).default([]).describe(
    "names, each with a weight such as titles-to-sid=0.5; none: what the run can be asked, as MiniOneRec mixes it",
  ),
  titleHistories: z.int().min(0).default(10_000).describe("most rows of titles-to-sid; 0: all"),
  targets: z.enum(["own", "all"]).default("own").describe(
    "own: right is what the row says; all: also what other rows with the same prompt say",
  ),
  rows: z.string().default("").describe("file of task rows; without it, rl/train.json of the dataset"),
  preferences: z.string().default("").describe("JSON or JSONL of user preferences, for preference-to-sid"),
} satisfies Record<Exclude<keyof RlExampleSettings, "seed">, z.ZodType>;
