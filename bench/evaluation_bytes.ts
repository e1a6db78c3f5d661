import type { Device } from "../kernels/device.ts";
import { openRehearsal } from "../kernels/rehearsal.ts";
import { parseDecoderConfig } from "../models/config.ts";
import { Decoder } from "../models/decoder.ts";

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

/** Tokens of a SID. */
const LEVELS = 3;

/**
 * Most bytes that decoding one batch holds on `device` beyond the weights: prompts, beams and logits; what ranks them
 * is small beside that. Nothing is allocated there. Throws `DeviceError` where a matrix does not fit the adapter.
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
  const held = rehearsal.memory.buffers + rehearsal.memory.textures;
  const prompts = Array.from({ length: users }, () => new Uint32Array(promptTokens));
  const [tokens, parents] = [1, 2].map(() => rehearsal.createFlat("u32", users * beams));
  // Not BeamSearch, which takes in halves what is long together: copies would seem to cost less.
  const session = decoder.start(prompts, beams, LEVELS - 1);
  for (let level = 0; level < LEVELS; level++) {
    rehearsal.scope(() => {
      const hidden = level === 0 ? session.hidden : session.step(tokens, parents);
      for (const logits of decoder.logitParts(hidden)) rehearsal.release(logits);
    });
  }
  session.close();
  return rehearsal.memory.peak - held;
}
