import type { Device } from "../../kernels/gpu/device.ts";
import { openRehearsal } from "../../kernels/gpu/rehearsal.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { type SmallDecoder, smallDecoderConfig } from "../results/small_decoder.ts";

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
  model: SmallDecoder,
  { users, beams, promptTokens }: SearchBatch,
): Promise<number> {
  const rehearsal = await openRehearsal(device);
  const decoder = new Decoder(rehearsal, smallDecoderConfig(model, promptTokens + LEVELS));
  const held = rehearsal.memory.held;
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
