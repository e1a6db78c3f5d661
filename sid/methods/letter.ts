import { z } from "zod";
import { count, weight } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import { CodewordDiversity } from "../quantizer/codeword_diversity.ts";
import { CollaborativeAlignment } from "../quantizer/collaborative_alignment.ts";
import { checkEmbeddings, checkEnoughItems, type Embeddings } from "../embeddings.ts";
import type { SidInput, SidMethod } from "../method.ts";
import { quantizerFields } from "../quantizer/config.ts";
import { codebookSize, contrastTemperature, levels } from "../fields.ts";
import type { LetterConfig } from "../settings.generated.ts";
import type { QuantizerHooks } from "../quantizer/hooks.ts";
import { encodeQuantizer, fitQuantizer } from "./rq_vae.ts";

export type { LetterConfig };

const Config = z.strictObject({
  levels: levels(),
  codebookSize: codebookSize(4096),
  alignmentWeight: weight.default(0.1).describe("weight of the alignment with --collab"),
  temperature: contrastTemperature,
  diversityWeight: weight.default(1e-4).describe("weight of the diversity of codewords"),
  clusters: count().default(10).describe("clusters of the codewords of a level, for the diversity"),
  clusterEpochs: count().default(10).describe("epochs between clusterings"),
  ...quantizerFields,
}).describe("Settings of `letter`.");

/**
 * LETTER (Wang et al. 2024, arXiv:2405.07314): an RQ-VAE whose quantised latents are aligned with collaborative vectors
 * and whose codewords are kept apart: loss = reconstruction + quantisation + α alignment + β diversity. New items are
 * coded by their embeddings alone.
 */
export const letter: SidMethod<LetterConfig> = {
  name: "letter",
  Config,
  trains: true,
  needs: ["collaborative"],
  async fit(device, input, config, onProgress, openStore) {
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
      state: () => spread?.state() ?? [],
      restore: (state) => spread?.restore(state),
      extraLoss(tape, step) {
        aligned?.loss(tape, step);
        spread?.loss(tape, step);
      },
    };
    try {
      return await fitQuantizer(device, input, codebookSizes, config, { hooks, onProgress, openStore });
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
