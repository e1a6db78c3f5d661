import { z } from "zod";

/** Where a training writes, and whether it goes on. */
export const RunOutput = {
  out: z.string().describe("run directory to write"),
  resume: z.boolean().default(false).describe(
    "continue the run in --out from its latest checkpoint; its settings are --config OUT/config.json",
  ),
};

/** What a training reads. */
export const TrainingData = {
  data: z.string().describe("dataset directory, ours or foreign, or `synthetic`"),
};
