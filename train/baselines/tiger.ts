import { join } from "node:path";
import { z } from "zod";
import { loadIndex } from "../../data/formats/index_file.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import {
  encoderDecoderConfig,
  encoderDecoderFields,
  pairTrainingFields,
} from "../encoder_decoder/pair_config.ts";
import { trainPairs } from "../encoder_decoder/pair_training.ts";
import { retrievalFiles } from "../encoder_decoder/retrieval.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import type { BaselineMethod } from "./method.ts";

const Config = z.strictObject({
  sids: z.string().default("").describe(
    "index.json of the SIDs, or the folder of one; without it, those that the dataset ships",
  ),
  ...encoderDecoderFields,
  ...pairTrainingFields,
});
/** Settings of {@link tiger}. */
export type TigerConfig = z.output<typeof Config>;

/**
 * Generative retrieval (Rajput et al. 2023, TIGER): a T5 that reads the SIDs of a history and writes that of the next
 * item, each level with a table of its own, searched inside the catalogue.
 */
export const tiger: BaselineMethod<TigerConfig> = {
  name: "tiger",
  summary: "a T5 over semantic IDs (Rajput et al. 2023)",
  Config,
  scoreUnit: "log-probability",
  worksTogether: true,
  async train(input, config) {
    const { device, dataset } = input;
    const sids = await sidsOf(dataset, config.sids);
    const tokens = CodeTokens.fromSids(sids, config);
    const model = new EncoderDecoder(device, encoderDecoderConfig(config, tokens.sizes));
    model.initialize(config.seed, config.initializerRange);
    try {
      return await trainPairs(model, tokens, {
        ...input,
        companions: retrievalFiles(sids, config),
        onStart: (facts) => input.onStart?.({ ...facts, sids }),
      }, config);
    } finally {
      model.destroy();
    }
  },
};

async function sidsOf({ name, sids, items }: Dataset, path: string): Promise<string[][]> {
  if (path !== "") {
    return await loadIndex(await isFile(path) ? path : join(path, "index.json"), items.length);
  }
  if (sids) return sids;
  throw new UserError(
    `Cannot train tiger on ${name} without SIDs: it ships none. Make some with \`genrec sid\` and name them with --sids`,
  );
}
