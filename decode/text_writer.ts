import { PhiloxStream } from "../base/philox.ts";
import type { Device } from "../kernels/gpu/device.ts";
import { DEAD } from "../kernels/trie/search/topk.ts";
import type { DecodeModel, DecodeSession } from "../models/decoder/decode.ts";
import { checkSampling, penaliseSeen, type SamplingOptions, tokenAt, tokenShares } from "./sampling.ts";
import { cutOf } from "./trie_decoding.ts";

/** How to write. */
export interface TextWriterOptions extends SamplingOptions {
  /** Most tokens of a text, from 1. */
  maxNewTokens: number;
  /** Tokens that end a text and are no part of it. */
  stop: ReadonlySet<number>;
  /** Of the draws: a prompt has the same ones whatever else is written with it. */
  seed: number;
}

// Prompts of one batch: their logits are read back after each token.
const MOST_PROMPTS = 64;

/** Writes free text after prompts, a token at a time, until one that ends it. Prompts are computed once. */
export class TextWriter {
  /** Most prompts to pass to {@link run} at once. */
  readonly promptsPerBatch: number;
  #device: Device;
  #model: DecodeModel;
  #options: TextWriterOptions;

  /**
   * Prepares texts of `model`; memory for them comes with the first ones.
   * @throws {RangeError} if `maxNewTokens` is no integer from 1, or a setting of the draws is out of range.
   */
  constructor(device: Device, model: DecodeModel, options: TextWriterOptions) {
    const { maxNewTokens } = options;
    if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1) {
      throw new RangeError(`Cannot write texts of ${maxNewTokens} tokens: expected an integer of 1 or more`);
    }
    checkSampling(options);
    this.#device = device;
    this.#model = model;
    this.#options = options;
    // The tallest matrices are the keys and values of what was written.
    const rows = device.layout === "texture" ? device.limits.maxTextureDimension2D : Infinity;
    this.promptsPerBatch = Math.max(1, Math.min(MOST_PROMPTS, Math.floor(rows / maxNewTokens)));
  }

  /**
   * What is written after each prompt of token ids. `onToken` is told of each token when it is chosen, and may end its
   * text there by answering false. Throws as the model does where a prompt is empty or too long.
   */
  async run(
    prompts: readonly Uint32Array[],
    onToken?: (prompt: number, token: number) => boolean | void,
  ): Promise<Uint32Array[]> {
    if (prompts.length === 0) return [];
    const cut = prompts.length > this.promptsPerBatch ? this.promptsPerBatch : cutOf(this.#model, prompts);
    if (cut) {
      const rest = onToken && ((prompt: number, token: number) => onToken(cut + prompt, token));
      return [...await this.run(prompts.slice(0, cut), onToken), ...await this.run(prompts.slice(cut), rest)];
    }
    const { maxNewTokens, stop } = this.#options;
    const device = this.#device, count = prompts.length;
    const purposes = prompts.map((prompt) => `text after ${prompt.join()}`);
    const written: number[][] = prompts.map(() => []);
    const isOver = prompts.map(() => false);
    const tokens = device.createFlat("u32", count), parents = device.createFlat("u32", count);
    const session = this.#model.start([...prompts], 1, maxNewTokens);
    try {
      for (let step = 0; step < maxNewTokens; step++) {
        const logits = await this.#logits(session, step === 0 ? undefined : { tokens, parents });
        for (const [i, text] of written.entries()) {
          if (isOver[i]) continue;
          const token = this.#choose(logits.map((part) => part[i]), [prompts[i], text], purposes[i], step);
          isOver[i] = stop.has(token);
          if (isOver[i]) continue;
          text.push(token);
          isOver[i] = onToken?.(i, token) === false;
        }
        if (isOver.every(Boolean)) break;
        device.write(tokens, Uint32Array.from(written, (text, i) => isOver[i] ? DEAD : text.at(-1)!));
      }
    } finally {
      session.close();
      for (const flat of [tokens, parents]) device.destroy(flat);
    }
    return written.map((text) => Uint32Array.from(text));
  }

  /** Logits after the last token: for each part of the vocabulary, in order, one row a prompt. */
  async #logits(
    session: DecodeSession,
    last:
      | { tokens: Parameters<DecodeSession["step"]>[0]; parents: Parameters<DecodeSession["step"]>[1] }
      | undefined,
  ): Promise<Float32Array[][]> {
    const device = this.#device;
    const parts = device.scope(() => {
      const hidden = last ? session.step(last.tokens, last.parents) : session.hidden;
      return [...this.#model.logitParts(hidden)].map((part) => device.keep(part));
    });
    const read = await device.read(...parts);
    return parts.map((part, p) => {
      device.free(part);
      const { rows, cols } = part;
      return Array.from({ length: rows }, (_, i) => read[p].subarray(i * cols, (i + 1) * cols));
    });
  }

  /** The most probable token after what was read and written, or one drawn. */
  #choose(
    parts: readonly Float32Array[],
    seen: readonly Iterable<number>[],
    purpose: string,
    step: number,
  ): number {
    const { seed, repetitionPenalty = 1 } = this.#options;
    const logits = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let end = 0;
    for (const part of parts) {
      logits.set(part, end);
      end += part.length;
    }
    penaliseSeen(logits, seen.flatMap((tokens) => [...tokens]), repetitionPenalty);
    const best = logits.reduce((best, value, i) => value > logits[best] ? i : best, 0);
    if (!Number.isFinite(logits[best])) {
      throw new Error("Cannot write: the model's logits are not finite. Go back to an earlier checkpoint");
    }
    if (this.#options.temperature === 0) return best;
    const uniform = new PhiloxStream(seed, purpose, step).uniform();
    return tokenAt(tokenShares(logits, this.#options), uniform);
  }
}
