import { z } from "zod";
import { count, positive, stepsOrShare } from "../../base/fields.ts";
import { REPORT_TO } from "../observers/open.ts";

/** End of a run that is counted in steps. */
export const maxSteps = count(0).default(0).describe(
  "stop after so many optimizer steps; 0: by epochs alone",
);

/** Numbers of the matrices that layers compute with. */
export const dtype = z.enum(["float32", "float16"]).default("float32").describe(
  "storage of matrices; weights, gradients and moments stay float32",
);

/** Less memory for more time. */
export const gradientCheckpointing = z.boolean().default(false).describe(
  "compute blocks again in the backward pass: less memory, a third more time",
);

/** Adapters in place of the weights. */
export const loraFields = {
  loraR: count(0).default(0).describe("rank of LoRA adapters; 0: all weights train"),
  loraAlpha: positive.default(32).describe("LoRA's alpha"),
  loraTargetModules: z.array(z.string()).min(1).default(["all"]).describe(
    "projections with an adapter: all, or names such as q_proj",
  ),
};

/** Steps between lines of the log. */
export const loggingSteps = (usual: number) =>
  count().default(usual).describe("steps between lines of metrics.jsonl");

/** End of a run that no longer gets better. */
export const patience = (usual: number) =>
  count(0).default(usual).describe("stop after so many validations without a better one; 0: never");

/** Beams of a validation, `min` at least. */
export const evalBeams = (min = 1) => count(min).default(20).describe("beams of a validation");

/** Where a run tells about itself. */
export const reportFields = {
  reportTo: z.array(z.enum(REPORT_TO)).default(["none"]).describe("where metrics go besides metrics.jsonl;"),
  wandbProject: z.string().default("").describe(
    "project of --report-to wandb; without it, that of WANDB_PROJECT, or genrec",
  ),
};
/** {@link reportFields} with all values. */
export type ReportSettings = z.output<z.ZodObject<typeof reportFields>>;

/** What a run keeps, and where it tells about itself. */
export const checkpointFields = {
  saveSteps: stepsOrShare().default(0).describe(
    "steps between checkpoints, or a share of all such as 0.05; 0: as --eval-steps",
  ),
  saveTotalLimit: count(0).default(2).describe("checkpoints to keep, the best among them; 0: all"),
  ...reportFields,
};
