import { attention, type AttentionShape, qkvColumns } from "../../kernels/attention/attention.ts";
import { type BeamPaths, extendBeamPaths, pathAttention } from "../../kernels/attention/beams/beam_paths.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { gatherRows } from "../../kernels/rows/gather.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { UserError } from "../../base/user_error.ts";
import { type DecodeSession, promptRows } from "./decode.ts";
import type { DecoderConfig } from "./config.ts";
import type { AttendLayer } from "./blocks.ts";

/** A decoder as its sessions run it. */
export interface SessionDecoder {
  readonly device: Device;
  readonly config: DecoderConfig;
  readonly shape: AttentionShape;
  /** Tokens (T) and their positions -> stream after all blocks, of all or the `last` rows; attention is left to `attend`. */
  blocks(tape: Tape, input: { tokens: Flat; positions: Flat; last?: Flat }, attend: AttendLayer): Matrix;
  /** Final norm of stream rows (R, C). */
  finalNorm(stream: Matrix): Matrix;
}

/**
 * Decoding state of a decoder. A prompt's keys and values are computed once and shared by its beams: a beam's
 * query sees its prompt as the first attention interval and its own few tokens as the second.
 */
export class DecoderSession implements DecodeSession {
  readonly hidden: Matrix;
  #decoder: SessionDecoder;
  #depth: number;
  /** Rotated q | k | v of the prompts, a layer. */
  #prompts: Matrix[] = [];
  /** Rotated q | k | v of the beams' tokens, a layer: a row a token, those of each step after those before. */
  #caches: Matrix[];
  /** Rows of the caches that are written. */
  #rows = 0;
  #owned: Flat[] = [];
  #promptSpans: { start: number; end: number }[] = [];
  #paths: BeamPaths;

  constructor(decoder: SessionDecoder, prompts: Uint32Array[], width: number, maxNewTokens: number) {
    const { device, config, shape } = decoder;
    this.#decoder = decoder;
    this.#depth = maxNewTokens;
    const limit = config.max_position_embeddings - maxNewTokens;
    let total = 0;
    for (const prompt of prompts) {
      if (prompt.length === 0 || prompt.length > limit) {
        throw new UserError(
          `Cannot decode a prompt of ${prompt.length} tokens: expected 1 to ${limit} ` +
            `(max_position_embeddings ${config.max_position_embeddings} less ${maxNewTokens} new tokens)`,
        );
      }
      this.#promptSpans.push({ start: total, end: total + prompt.length });
      total += prompt.length;
    }

    const rows = promptRows(total);
    const tokens = new Uint32Array(rows);
    const positions = new Uint32Array(rows);
    const intervals = new Uint32Array(4 * rows);
    prompts.forEach((prompt, u) => {
      const { start } = this.#promptSpans[u];
      prompt.forEach((token, t) => {
        tokens[start + t] = token;
        positions[start + t] = t;
        intervals.set([start, start + t + 1], 4 * (start + t));
      });
    });
    const last = this.#own(device.borrow(Uint32Array.from(this.#promptSpans, ({ end }) => end - 1)));
    const input = {
      tokens: this.#own(device.borrow(tokens)),
      positions: this.#own(device.borrow(positions)),
      last,
    };
    const promptIntervals = this.#own(device.borrow(intervals));
    const wholePrompts = this.#promptSpans.flatMap(({ start, end }) => [start, end, 0, 0]);
    const lastIntervals = this.#own(device.borrow(Uint32Array.from(wholePrompts)));
    const { q, k, v } = qkvColumns(shape);
    this.hidden = device.scope(() => {
      const stream = decoder.blocks(new Tape(device, false), input, (layer, qkv) => {
        this.#prompts.push(device.keep(qkv));
        const keyValues = { matrix: qkv, k, v };
        if (layer + 1 < config.num_hidden_layers) {
          return attention(device, qkv, q, keyValues, keyValues, promptIntervals, shape).o;
        }
        const queries = gatherRows(device, qkv, last, prompts.length);
        return attention(device, queries, q, keyValues, keyValues, lastIntervals, shape).o;
      });
      return device.keep(decoder.finalNorm(stream));
    });

    const columns = (shape.heads + 2 * shape.kvHeads) * shape.headDim;
    this.#caches = device.scope(() =>
      this.#prompts.map(() => device.keep(device.matrix(prompts.length * width * this.#depth, columns)))
    );
    const spans = this.#own(
      device.borrow(Uint32Array.from(this.#promptSpans.flatMap(({ start, end }) => [start, end]))),
    );
    this.#paths = { width: 1, depth: this.#depth, step: -1, spans, paths: device.borrow(this.#depth) };
  }

  step(tokens: Flat, parents: Flat): Matrix {
    const before = this.#paths;
    const step = before.step + 1;
    if (step >= this.#depth) {
      throw new RangeError(
        `step() number ${step + 1}: the session was started for ${this.#depth} new tokens`,
      );
    }
    const decoder = this.#decoder;
    const { device, shape } = decoder;
    const width = tokens.length / this.#promptSpans.length;
    const after = { ...before, width, step, paths: device.borrow(tokens.length * this.#depth) };
    const positions = device.borrow(tokens.length);
    extendBeamPaths(device, before, parents, this.#rows, { after, positions, headDim: shape.headDim });
    const stream = decoder.blocks(new Tape(device, false), { tokens, positions }, (layer, qkv) => {
      device.copyRows(qkv, this.#caches[layer], this.#rows);
      return pathAttention(device, qkv, this.#prompts[layer], this.#caches[layer], after, shape);
    });
    // What is recorded later may write to them again.
    device.giveBack(before.paths, positions);
    this.#rows += tokens.length;
    this.#paths = after;
    return decoder.finalNorm(stream);
  }

  close(): void {
    const { device } = this.#decoder;
    device.free(this.hidden);
    for (const matrix of [...this.#prompts, ...this.#caches]) device.free(matrix);
    device.giveBack(...this.#owned, this.#paths.paths);
    this.#owned = [];
  }

  #own(flat: Flat): Flat {
    this.#owned.push(flat);
    return flat;
  }
}
