import { z } from "zod";
import type { Sample, Split } from "../../data/dataset.ts";
import { cutSamples, leaveOneOut } from "../../data/interactions.ts";
import { loadCorpus } from "../../data/formats/load.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import { encoderDecoderConfig, encoderDecoderFields } from "../../train/encoder_decoder/pair_config.ts";

/** Items of the longest history, as in the papers of TIGER and LETTER. */
const MAX_HISTORY = 20;
const DROPOUT = 0.1;
const SEED = 42;

const Settings = z.object(encoderDecoderFields);
const SIZES: Record<string, z.input<typeof Settings>> = {
  /** That of ETEGRec (arXiv:2409.05546): 3.9 M parameters. */
  etegrec: { dModel: 128, dFf: 512, numHeads: 4, dKv: 64, numLayers: 6, numDecoderLayers: 6 },
  /** The default of `genrec baseline --model tiger`. */
  small: {},
};

/**
 * An encoder-decoder of a size for the SIDs of a dataset, with random weights of that deviation.
 * @throws {UserError} for another size.
 */
export function randomEncoderDecoder(
  device: Device,
  size: string,
  tokens: CodeTokens,
  initializerRange: number,
): EncoderDecoder {
  if (!(size in SIZES)) {
    throw new UserError(
      `Cannot build an encoder-decoder of size ${size}: expected ${Object.keys(SIZES).join(" or ")}`,
    );
  }
  const config = encoderDecoderConfig({ ...Settings.parse(SIZES[size]), dropout: DROPOUT }, tokens.sizes);
  const model = new EncoderDecoder(device, config);
  model.initialize(SEED, initializerRange);
  return model;
}

/** A dataset as encoder-decoders read it. */
export interface LongHistories {
  name: string;
  tokens: CodeTokens;
  /** Leave-one-out, histories of up to 20 items. */
  samples: Record<Split, Sample[]>;
}

/**
 * Reads a dataset that ships SIDs.
 * @throws {UserError} for one that does not.
 */
export async function longHistories(data: string): Promise<LongHistories> {
  const { name, sids, interactions, users } = await loadCorpus(data);
  if (!sids) throw new UserError(`Cannot measure on ${data}: it has no SIDs. Name a dataset with an index`);
  const cut = cutSamples(interactions, users.length, MAX_HISTORY, leaveOneOut);
  const named = (split: Split) => cut[split].map((sample) => ({ ...sample, user: users[sample.user].id }));
  return {
    name,
    tokens: CodeTokens.fromSids(sids, { maxHistory: MAX_HISTORY }),
    samples: { train: named("train"), valid: named("valid"), test: named("test") },
  };
}
