import type { Dataset } from "../../data/dataset.ts";
import type { SequenceSource } from "../../data/packing/sequence_source.ts";
import type { DecoderConfig } from "../../models/decoder/config.ts";
import type { NextItemPrompts } from "../../prompts/next_item.ts";
import { sidPrompts } from "../../prompts/sids.ts";
import type { SidVocabulary } from "../../sid/tokens.ts";
import { itemSource } from "./item_source.ts";
import { scratchConfig } from "./scratch_decoder.ts";
import type { SftConfig } from "./config.ts";

/** What a run learns, is asked and computes with. */
export interface ModelInputs {
  /** Sequences to learn. */
  source: SequenceSource;
  /** How it is asked for the next item. */
  prompts: NextItemPrompts;
  /** Architecture of the decoder. */
  architecture: DecoderConfig;
}

/**
 * A model from scratch that knows SID tokens alone. `sids` are the token strings of each item of `dataset`.
 * @throws {UserError} if the train split is empty or sizes do not fit each other.
 */
export function sidInputs(
  dataset: Dataset,
  sids: readonly (readonly string[])[],
  vocabulary: SidVocabulary,
  config: SftConfig,
): ModelInputs {
  const mode = config.mode === "samples" ? "samples" : "histories";
  const prompts = sidPrompts(vocabulary, sids, config.maxHistory);
  const longest = prompts.itemTokens.reduce((max, { length }) => Math.max(max, length), 0);
  const items = Math.max(config.maxHistory + 1, mode === "histories" ? config.maxSequenceItems : 0);
  return {
    source: itemSource(dataset, prompts.itemTokens, vocabulary.bosId, { ...config, mode }),
    prompts,
    architecture: scratchConfig(config, {
      vocab_size: vocabulary.size,
      max_position_embeddings: 1 + items * longest,
      bos_token_id: vocabulary.bosId,
      eos_token_id: vocabulary.eosId,
      pad_token_id: vocabulary.padId,
    }),
  };
}
