import { z } from "zod";
import { count } from "../base/fields.ts";

/** Levels of a SID. */
export const levels = (usual = 3) =>
  count().max(8).default(usual).describe("codebooks, one a token of the SID");

/** Codewords a level. */
export const codebookSize = (most = 16384) =>
  z.int().min(2).max(most).default(256).describe("codewords in each codebook");

/** What pulls items together or apart: the lower, the harder. */
export const contrastTemperature = z.number().positive().default(0.1).describe(
  "temperature of the contrastive loss",
);
