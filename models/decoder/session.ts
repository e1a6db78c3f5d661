import {
  attention,
  type AttentionShape,
  type KeyValues,
  qkvColumns,
} from "../../kernels/attention/attention.ts";
import { branchAppend } from "../../kernels/attention/branch_cache.ts";
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
  /** Tokens (T) and their positions -> stream (T, C) after all blocks, attention left to `attend`. */
  blocks(tape: Tape, input: { tokens: Flat; positions: Flat }, attend: AttendLayer): Matrix;
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
  /** Beams a prompt after the last step. */
  #width: number;
  #depth: number;
  #step = 0;
  /** Rotated q | k | v of the prompts, a layer. */
  #prompts: Matrix[] = [];
  /** Keys and values of the beams, a layer. */
  #branches: Matrix[];
  #owned: Flat[] = [];
  #promptSpans: { start: number; end: number }[] = [];
  #positions: Flat;
  #intervals: Flat;

  constructor(decoder: SessionDecoder, prompts: Uint32Array[], width: number, maxNewTokens: number) {
    const { device, config, shape } = decoder;
    this.#decoder = decoder;
    this.#width = width;
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
    const lasts = Uint32Array.from(this.#promptSpans, ({ end }) => end - 1);
    const input = {
      tokens: this.#own(device.borrow(tokens)),
      positions: this.#own(device.borrow(positions)),
    };
    const promptIntervals = this.#own(device.borrow(intervals));
    const last = this.#own(device.borrow(lasts));
    const { q, k, v } = qkvColumns(shape);
    this.hidden = device.scope(() => {
      const stream = decoder.blocks(new Tape(device, false), input, (_layer, qkv) => {
        this.#prompts.push(device.keep(qkv));
        const keyValues = { matrix: qkv, k, v };
        return attention(device, qkv, q, keyValues, keyValues, promptIntervals, shape).o;
      });
      return device.keep(decoder.finalNorm(gatherRows(device, stream, last, prompts.length)));
    });

    const beams = prompts.length * width;
    const kvWidth = 2 * shape.kvHeads * shape.headDim;
    this.#branches = device.scope(() =>
      this.#prompts.map(() => device.keep(device.matrix(beams * this.#depth, kvWidth)))
    );
    this.#positions = this.#own(device.borrow(new Uint32Array(beams)));
    this.#intervals = this.#own(device.borrow(new Uint32Array(4 * beams)));
  }

  step(tokens: Flat, parents: Flat): Matrix {
    if (this.#step >= this.#depth) {
      throw new RangeError(
        `step() number ${this.#step + 1}: the session was started for ${this.#depth} new tokens`,
      );
    }
    const decoder = this.#decoder;
    const { device, shape } = decoder;
    const width = tokens.length / this.#promptSpans.length;
    const rows = this.#writeBeams(width);
    const { q, k, v } = qkvColumns(shape);
    const append = { width, from: this.#width, depth: this.#depth, step: this.#step, column: k };
    const stream = decoder.blocks(
      new Tape(device, false),
      { tokens, positions: rows.positions },
      (layer, qkv) => {
        const branches = device.keep(branchAppend(device, this.#branches[layer], qkv, parents, append));
        device.free(this.#branches[layer]);
        this.#branches[layer] = branches;
        const prompt: KeyValues = { matrix: this.#prompts[layer], k, v };
        const branch: KeyValues = { matrix: branches, k: 0, v: v - k };
        return attention(device, qkv, q, prompt, branch, rows.intervals, shape).o;
      },
    );
    this.#step++;
    this.#width = width;
    return decoder.finalNorm(stream);
  }

  close(): void {
    const { device } = this.#decoder;
    device.free(this.hidden);
    for (const matrix of [...this.#prompts, ...this.#branches]) device.free(matrix);
    device.giveBack(...this.#owned);
    this.#owned = [];
  }

  #own(flat: Flat): Flat {
    this.#owned.push(flat);
    return flat;
  }

  // Positions and key intervals of the token that each of `width` beams a prompt adds now.
  #writeBeams(width: number): { positions: Flat; intervals: Flat } {
    const { device } = this.#decoder;
    const beams = this.#promptSpans.length * width;
    const positions = new Uint32Array(beams);
    const intervals = new Uint32Array(4 * beams);
    this.#promptSpans.forEach(({ start, end }, u) => {
      for (let beam = u * width; beam < (u + 1) * width; beam++) {
        const own = beam * this.#depth;
        positions[beam] = end - start + this.#step;
        intervals.set([start, end, own, own + this.#step + 1], 4 * beam);
      }
    });
    device.write(this.#positions, positions);
    device.write(this.#intervals, intervals);
    return {
      positions: device.slice(this.#positions, 0, beams),
      intervals: device.slice(this.#intervals, 0, 4 * beams),
    };
  }
}
