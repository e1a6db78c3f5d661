import { z } from "zod";
import { weight } from "../../base/fields.ts";
import { PhiloxStream } from "../../base/philox.ts";
import { UserError } from "../../base/user_error.ts";
import { CoOccurrenceContrast } from "../quantizer/co_occurrence_contrast.ts";
import { checkEmbeddings, checkEnoughItems } from "../embeddings.ts";
import type { SidMethod } from "../method.ts";
import { quantizerFields, uniquenessWeight } from "../quantizer/config.ts";
import { contrastTemperature, levels } from "../fields.ts";
import type { RqVaeV2Config } from "../settings.generated.ts";
import { encodeQuantizer, fitQuantizer } from "./rq_vae.ts";

export type { RqVaeV2Config };

const Config = z.strictObject({
  levels: levels(),
  codebookSize: z.int().min(2).max(16384).default(512).describe("codewords of the first level"),
  resolutionDecay: z.number().min(1).default(2).describe(
    "what the codewords of a level are divided by for the next: 512, 256, 128",
  ),
  progressiveMasking: z.boolean().default(true).describe("train a random number of leading levels each step"),
  contrastWeight: weight.default(0.1).describe("weight of the contrast of items bought in a row"),
  temperature: contrastTemperature,
  ...quantizerFields,
  // Masked steps go without this loss: with 20, as much as other methods had, twice as many items collided.
  uniquenessWeight: uniquenessWeight(60),
}).describe("Settings of `rqvae-v2`.");

/**
 * RQ-VAE of PLUM (He et al. 2025, arXiv:2510.07784, "SID-v2"), whose prefixes are meant to mean something by themselves:
 * codebooks shrink from level to level (multi-resolution), a step trains the first r levels alone with r random
 * (progressive masking), and items bought in a row are drawn together (co-occurrence contrastive loss). Its fusion of
 * several embeddings of an item happens before, in the input.
 */
export const rqVaeV2: SidMethod<RqVaeV2Config> = {
  name: "rqvae-v2",
  Config,
  trains: true,
  needs: ["histories"],
  async fit(device, input, config, onProgress, openStore) {
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
      return await fitQuantizer(device, input, sizes, config, { hooks, onProgress, openStore });
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
