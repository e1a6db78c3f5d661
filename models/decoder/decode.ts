import type { RowBlock } from "../../kernels/rows/gather.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";

/** Columns of logits that exist at a time in decoding. */
export const MOST_LOGITS = 16384;

/**
 * Rows in which prompts of `tokens` tokens together are laid out: whole blocks, so that few shapes exist and matrices are
 * used again, of which at most an eighth is idle, or 15 rows.
 */
export function promptRows(tokens: number): number {
  const block = Math.max(16, 2 ** Math.floor(Math.log2(tokens / 8)));
  return Math.ceil(tokens / block) * block;
}

/** What beam search needs of a language model: one interface, whatever the architecture. */
export interface DecodeModel {
  /** Number of token ids, V: the width of the logits. */
  readonly vocabulary: number;
  /** Most rows of a pass, be they tokens of prompts or beams: see `mostRows()`. */
  readonly mostTokens: number;
  /**
   * Computes every prompt once. `prompts` are token ids, `width` beams a prompt, at most `maxNewTokens` tokens each.
   * Throws where a prompt is empty or longer than the model allows.
   */
  start(prompts: Uint32Array[], width: number, maxNewTokens: number): DecodeSession;
  /**
   * hidden (R, C) -> logits (R, V) in parts of the vocabulary, in order: one where it has at most {@link MOST_LOGITS}
   * tokens, else parts no wider than that. A part may be released before the next is asked for.
   */
  logitParts(hidden: Matrix): Iterable<Matrix>;
  /** Output matrix (V, C) in blocks: row v is the direction of token v. For normalisations that need few rows. */
  readonly head: readonly RowBlock[];
}

/** Prompts whose keys and values are on the device, and the beams that share them. */
export interface DecodeSession {
  /** Hidden states (U, C) after the last token of each of the U prompts, final norm included. */
  readonly hidden: Matrix;
  /**
   * Appends one token to each of W beams a prompt, at most as many as the session was started for. Row u * W + b of
   * `tokens` (U * W) is the token of beam b of prompt u, and `parents` the beam of the step before that it goes on from
   * (ignored in the first step) -> hidden (U * W, C), valid until the scope in which the caller runs it ends. Rows whose
   * token is 0xffffffff are dead: their hidden state means nothing.
   */
  step(tokens: Flat, parents: Flat): Matrix;
  /** Gives keys and values back. */
  close(): void;
}
