import { BeamSearch } from "../eval/beam_search.ts";
import { DeviceTrie } from "../eval/device_trie.ts";
import type { Device } from "../kernels/device.ts";
import { openRehearsal } from "../kernels/rehearsal.ts";
import { parseDecoderConfig } from "../models/config.ts";
import { Decoder } from "../models/decoder.ts";
import { buildTrie } from "../sid/trie.ts";

/** Shape of the decoder that searches. */
export interface SearchModel {
  width: number;
  layers: number;
  vocabulary: number;
}

/** One batch of a search. */
export interface SearchBatch {
  users: number;
  beams: number;
  /** Of each user. */
  promptTokens: number;
}

const LEVELS = 3;

/**
 * Most bytes that one batch of beam search holds on `device` beyond weights and trie. Nothing is allocated there.
 * Throws `DeviceError` where a matrix does not fit the adapter.
 */
export async function evaluationBytes(
  device: Device,
  { width, layers, vocabulary }: SearchModel,
  { users, beams, promptTokens }: SearchBatch,
): Promise<number> {
  const rehearsal = await openRehearsal(device);
  const config = parseDecoderConfig({
    model_type: "qwen2",
    vocab_size: vocabulary,
    hidden_size: width,
    intermediate_size: 2 * width,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    max_position_embeddings: promptTokens + LEVELS,
  });
  const decoder = new Decoder(rehearsal, config);
  const trie = new DeviceTrie(rehearsal, buildTrie(catalogue(vocabulary)));
  const held = rehearsal.memory.buffers + rehearsal.memory.textures;
  const search = new BeamSearch(rehearsal, decoder, trie, { beams, normalisation: "vocab" });
  await search.run(Array.from({ length: users }, () => new Uint32Array(promptTokens)));
  return rehearsal.memory.peak - held;
}

/** SIDs of three tokens: each level has a third of the vocabulary. */
function catalogue(vocabulary: number): Uint32Array[] {
  const codewords = Math.floor(vocabulary / LEVELS);
  const items = 5 * vocabulary;
  return Array.from(
    { length: items },
    (_, item) =>
      Uint32Array.from(
        { length: LEVELS },
        (_, level) => level * codewords + Math.floor(item / codewords ** level) % codewords,
      ),
  );
}
