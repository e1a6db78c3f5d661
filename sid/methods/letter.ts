import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import { CodewordDiversity } from "../quantizer/codeword_diversity.ts";
import { CollaborativeAlignment } from "../quantizer/collaborative_alignment.ts";
import { checkEmbeddings, checkEnoughItems, type Embeddings } from "../embeddings.ts";
import type { SidInput, SidMethod } from "../method.ts";
import { type QuantizerConfig, quantizerFields } from "../quantizer/config.ts";
import type { QuantizerHooks } from "../quantizer/hooks.ts";
import { encodeQuantizer, fitQuantizer } from "./rq_vae.ts";

/** Settings of {@link letter}; `letter.Config.parse({})` fills in the defaults. */
export interface LetterConfig extends QuantizerConfig {
  /** Codebooks L, one a token of the SID. Default: 3. */
  levels: number;
  /** Codewords K in each codebook. Default: 256. */
  codebookSize: number;
  /** Weight α of the alignment with collaborative vectors. Default: 0.1. */
  alignmentWeight: number;
  /** Temperature of the alignment. Default: 0.1. */
  temperature: number;
  /** Weight β of the diversity of codewords. Default: 1e-4. */
  diversityWeight: number;
  /** Clusters of the codewords of a level. Default: 10. */
  clusters: number;
  /** Epochs between clusterings. Default: 10. */
  clusterEpochs: number;
}

const fields = {
  levels: z.int().min(1).max(8).default(3).describe("codebooks, one a token of the SID"),
  codebookSize: z.int().min(2).max(4096).default(256).describe("codewords in each codebook"),
  alignmentWeight: z.number().min(0).default(0.1).describe("weight of the alignment with --collab"),
  temperature: z.number().positive().default(0.1).describe("temperature of the contrastive loss"),
  diversityWeight: z.number().min(0).default(1e-4).describe("weight of the diversity of codewords"),
  clusters: z.int().min(1).default(10).describe("clusters of the codewords of a level, for the diversity"),
  clusterEpochs: z.int().min(1).default(10).describe("epochs between clusterings"),
  ...quantizerFields,
} satisfies { [K in keyof LetterConfig]: z.ZodType<LetterConfig[K]> };

/**
 * LETTER (Wang et al. 2024, arXiv:2405.07314): an RQ-VAE whose quantised latents are aligned with collaborative vectors
 * and whose codewords are kept apart: loss = reconstruction + quantisation + α alignment + β diversity. New items are
 * coded by their embeddings alone.
 */
export const letter: SidMethod<LetterConfig> = {
  name: "letter",
  Config: z.strictObject(fields),
  needs: ["collaborative"],
  async fit(device, input, config, onProgress) {
    const codebookSizes = new Array<number>(config.levels).fill(config.codebookSize);
    const collaborative = collaborativeOf(input);
    checkEnoughItems(input.embeddings, config.codebookSize);
    const aligned = config.alignmentWeight > 0
      ? new CollaborativeAlignment(device, collaborative, config)
      : undefined;
    const spread = config.diversityWeight > 0
      ? new CodewordDiversity(device, codebookSizes, config)
      : undefined;
    const hooks: QuantizerHooks = {
      parameters: aligned?.parameters,
      beforeEpoch: (epoch, model) => spread?.beforeEpoch(epoch, model),
      extraLoss(tape, step) {
        aligned?.loss(tape, step);
        spread?.loss(tape, step);
      },
    };
    try {
      return await fitQuantizer(device, input, codebookSizes, config, { hooks, onProgress });
    } finally {
      aligned?.destroy();
      spread?.destroy();
    }
  },
  encode: encodeQuantizer,
};

function collaborativeOf({ embeddings, collaborative }: SidInput): Embeddings {
  if (!collaborative) {
    throw new UserError("Cannot learn letter SIDs without collaborative embeddings. Name them with --collab");
  }
  checkEmbeddings(collaborative);
  if (collaborative.rows !== embeddings.rows) {
    throw new UserError(
      `Cannot align ${embeddings.rows} items with ${collaborative.rows} collaborative embeddings: expected as many. ` +
        "Make both from the same dataset",
    );
  }
  return collaborative;
}
