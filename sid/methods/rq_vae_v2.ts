import { z } from "zod";
import { PhiloxStream } from "../../base/philox.ts";
import { UserError } from "../../base/user_error.ts";
import { CoOccurrenceContrast } from "../quantizer/co_occurrence_contrast.ts";
import { checkEmbeddings, checkEnoughItems } from "../embeddings.ts";
import type { SidMethod } from "../method.ts";
import { type QuantizerConfig, quantizerFields } from "../quantizer/config.ts";
import { encodeQuantizer, fitQuantizer } from "./rq_vae.ts";

/** Settings of {@link rqVaeV2}; `rqVaeV2.Config.parse({})` fills in the defaults. */
export interface RqVaeV2Config extends QuantizerConfig {
  /** Codebooks L, one a token of the SID. Default: 3. */
  levels: number;
  /** Codewords of the first level. Default: 512. */
  codebookSize: number;
  /** What the codewords of a level are divided by for the next. Default: 2. */
  resolutionDecay: number;
  /** Whether each step trains a random number of leading levels. Default: true. */
  progressiveMasking: boolean;
  /** Weight of the contrast between items bought in a row. Default: 0.1. */
  contrastWeight: number;
  /** Temperature of that contrast. Default: 0.1. */
  temperature: number;
  /** Weight of the loss that drives items with equal codes apart, in the steps that train all levels. Default: 60. */
  uniquenessWeight: number;
}

const fields = {
  levels: z.int().min(1).max(8).default(3).describe("codebooks, one a token of the SID"),
  codebookSize: z.int().min(2).max(16384).default(512).describe("codewords of the first level"),
  resolutionDecay: z.number().min(1).default(2).describe(
    "what the codewords of a level are divided by for the next: 512, 256, 128",
  ),
  progressiveMasking: z.boolean().default(true).describe("train a random number of leading levels each step"),
  contrastWeight: z.number().min(0).default(0.1).describe("weight of the contrast of items bought in a row"),
  temperature: z.number().positive().default(0.1).describe("temperature of the contrastive loss"),
  ...quantizerFields,
  // Masked steps go without this loss: with 20, as much as other methods had, twice as many items collided.
  uniquenessWeight: z.number().min(0).default(60).describe(
    "weight of the loss that drives items with equal codes apart",
  ),
} satisfies { [K in keyof RqVaeV2Config]: z.ZodType<RqVaeV2Config[K]> };

/**
 * RQ-VAE of PLUM (He et al. 2025, arXiv:2510.07784, "SID-v2"), whose prefixes are meant to mean something by themselves:
 * codebooks shrink from level to level (multi-resolution), a step trains the first r levels alone with r random
 * (progressive masking), and items bought in a row are drawn together (co-occurrence contrastive loss). Its fusion of
 * several embeddings of an item happens before, in the input.
 */
export const rqVaeV2: SidMethod<RqVaeV2Config> = {
  name: "rqvae-v2",
  Config: z.strictObject(fields),
  needs: ["histories"],
  async fit(device, input, config, onProgress) {
    if (!input.histories) {
      throw new UserError("Cannot learn rqvae-v2 SIDs without histories. Name the dataset of the items");
    }
    const { embeddings, histories } = input;
    const sizes = codebookSizes(config);
    checkEmbeddings(embeddings);
    checkEnoughItems(embeddings, sizes[0]);
    const contrast = new CoOccurrenceContrast(device, histories, embeddings.rows, config);
    try {
      const hooks = {
        activeLevels: config.progressiveMasking
          ? (step: number) =>
            1 + new PhiloxStream(config.seed, "progressive masking", step).below(config.levels)
          : undefined,
        ...contrast.hooks,
      };
      return await fitQuantizer(device, input, sizes, config, { hooks, onProgress });
    } finally {
      contrast.destroy();
    }
  },
  encode: encodeQuantizer,
};

/** Codewords of each level l from 0: codebookSize / decay^l, rounded, at least 2. */
export function codebookSizes(
  { levels, codebookSize, resolutionDecay }: Pick<
    RqVaeV2Config,
    "levels" | "codebookSize" | "resolutionDecay"
  >,
): number[] {
  return Array.from(
    { length: levels },
    (_, level) => Math.max(2, Math.round(codebookSize / resolutionDecay ** level)),
  );
}
