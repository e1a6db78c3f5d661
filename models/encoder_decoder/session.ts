import { UserError } from "../../base/user_error.ts";
import { branchAppend } from "../../kernels/attention/beams/branch_cache.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { gatherRows, NO_ROW } from "../../kernels/rows/gather.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { type DecodeSession, promptRows } from "../decoder/decode.ts";
import type { StackAttention } from "./blocks.ts";
import type { EncoderDecoderConfig } from "./config.ts";
import type { Visible } from "./layers.ts";

/** An encoder-decoder as its sessions run it. */
export interface SessionEncoderDecoder {
  readonly device: Device;
  readonly config: EncoderDecoderConfig;
  /** Token that the decoder starts from. */
  readonly startToken: number;
  /** Whether a token of the encoder sees those before it alone. */
  readonly causal: boolean;
  /** States (Te, C) of the encoder's rows. */
  encode(tape: Tape, rows: { tokens: Flat; intervals: Flat }): Matrix;
  /** Tokens (T) -> states (T, C) of the decoder, its attention left to `attend`. */
  states(tape: Tape, stack: "decoder", rows: { tokens: Flat }, attend: StackAttention): Matrix;
  /** Queries of `qkv` (Tq, q | k | v), keys and values of `keys`, k and v its last columns. */
  selfAttention(tape: Tape, stack: "decoder", qkv: Matrix, keys: Matrix, visible: Visible): Matrix;
  /** Keys and values (Te, k | v) of the encoder's states in a layer of the decoder. */
  crossKeyValues(tape: Tape, layer: number, encoded: Matrix): Matrix;
  /** q (Tq, heads * d_kv) to the encoder's keys and values. */
  crossAttention(tape: Tape, q: Matrix, keyValues: Matrix, visible: Visible): Matrix;
  /** What output matrices are multiplied with: states (R, C) that predict `place` of a target, spent. */
  outputs(states: Matrix, place: number): Matrix;
}

/**
 * Decoding state of an encoder-decoder. A prompt goes through the encoder once; the keys and values that the
 * decoder's layers make of it are shared by all beams. A beam has keys and values of its own tokens, the start first.
 */
export class EncoderDecoderSession implements DecodeSession {
  readonly hidden: Matrix;
  #model: SessionEncoderDecoder;
  #width: number;
  #depth: number;
  #step = 0;
  /** Keys and values of the prompts, a layer. */
  #prompts: Matrix[] = [];
  /** Keys and values of the beams, a layer. */
  #branches: Matrix[] = [];
  #owned: Flat[] = [];
  /** Rows of each prompt. */
  #spans: { start: number; end: number }[] = [];
  #selfIntervals: Flat;
  #crossIntervals: Flat;

  constructor(model: SessionEncoderDecoder, prompts: Uint32Array[], width: number, maxNewTokens: number) {
    const { device, config, startToken } = model;
    this.#model = model;
    this.#width = width;
    this.#depth = maxNewTokens + 1;
    let total = 0;
    for (const { length } of prompts) {
      if (length === 0) throw new UserError("Cannot decode a prompt of 0 tokens: expected at least one");
      this.#spans.push({ start: total, end: total + length });
      total += length;
    }

    const rows = promptRows(total);
    const tokens = new Uint32Array(rows).fill(NO_ROW);
    const intervals = new Uint32Array(4 * rows);
    this.#spans.forEach(({ start, end }, u) => {
      tokens.set(prompts[u], start);
      for (let row = start; row < end; row++) {
        intervals.set([start, model.causal ? row + 1 : end, row], 4 * row);
      }
    });
    const users = prompts.length;
    const beams = users * width;
    const encoderRows = { tokens: this.#own(tokens), intervals: this.#own(intervals) };
    const starts = this.#own(new Uint32Array(users).fill(startToken));
    const alone = this.#own(Uint32Array.from(prompts.flatMap((_, u) => [u, u + 1, u, 0])));
    const promptOfBeam = this.#own(
      Uint32Array.from({ length: beams }, (_, beam) => Math.floor(beam / width)),
    );
    this.#selfIntervals = this.#own(new Uint32Array(4 * beams));
    this.#crossIntervals = this.#own(this.#promptIntervals(width));
    const promptIntervals = this.#own(this.#promptIntervals(1));

    this.hidden = device.scope(() => {
      const tape = new Tape(device, false);
      const encoded = model.encode(tape, encoderRows);
      for (let layer = 0; layer < config.num_decoder_layers; layer++) {
        this.#prompts.push(device.keep(model.crossKeyValues(tape, layer, encoded)));
      }
      device.release(encoded);
      const states = model.states(tape, "decoder", { tokens: starts }, {
        self: (layer, qkv) => {
          const inner = qkv.cols / 3;
          const own = gatherRows(device, qkv, promptOfBeam, beams);
          const empty = device.matrix(beams * this.#depth, 2 * inner);
          // Every beam continues the start, so no parent is read.
          const append = { width, from: width, depth: this.#depth, step: 0, column: inner };
          this.#branches[layer] = device.keep(branchAppend(device, empty, own, promptOfBeam, append));
          device.release(own);
          device.release(empty);
          return model.selfAttention(tape, "decoder", qkv, qkv, { intervals: alone });
        },
        cross: (layer, q) =>
          model.crossAttention(tape, q, this.#prompts[layer], { intervals: promptIntervals }),
      });
      return device.keep(model.outputs(states, 0));
    });
  }

  step(tokens: Flat, parents: Flat): Matrix {
    if (++this.#step >= this.#depth) {
      throw new RangeError(
        `step() number ${this.#step}: the session was started for ${this.#depth - 1} new tokens`,
      );
    }
    const model = this.#model;
    const { device } = model;
    const width = tokens.length / this.#spans.length;
    const rows = this.#writeBeams(width);
    const append = { width, from: this.#width, depth: this.#depth, step: this.#step };
    const tape = new Tape(device, false);
    const states = model.states(tape, "decoder", { tokens }, {
      self: (layer, qkv) => {
        const shape = { ...append, column: qkv.cols / 3 };
        const branches = device.keep(branchAppend(device, this.#branches[layer], qkv, parents, shape));
        device.free(this.#branches[layer]);
        this.#branches[layer] = branches;
        return model.selfAttention(tape, "decoder", qkv, branches, { intervals: rows.self });
      },
      cross: (layer, q) => model.crossAttention(tape, q, this.#prompts[layer], { intervals: rows.cross }),
    });
    this.#width = width;
    return model.outputs(states, this.#step);
  }

  close(): void {
    const { device } = this.#model;
    device.free(this.hidden);
    for (const matrix of [...this.#prompts, ...this.#branches]) device.free(matrix);
    device.giveBack(...this.#owned);
    this.#owned = [];
  }

  #own(values: Uint32Array): Flat {
    const flat = this.#model.device.borrow(values);
    this.#owned.push(flat);
    return flat;
  }

  // Encoder rows that the decoder rows of each prompt see, `width` of them a prompt.
  #promptIntervals(width: number): Uint32Array {
    const intervals = new Uint32Array(4 * width * this.#spans.length);
    this.#spans.forEach(({ start, end }, u) => {
      for (let row = u * width; row < (u + 1) * width; row++) intervals.set([start, end, end], 4 * row);
    });
    return intervals;
  }

  // Keys that each of `width` beams a prompt sees from the token that it adds now: of its own tokens, and of its prompt.
  #writeBeams(width: number): { self: Flat; cross: Flat } {
    const { device } = this.#model;
    const beams = this.#spans.length * width;
    const intervals = new Uint32Array(4 * beams);
    for (let beam = 0; beam < beams; beam++) {
      const own = beam * this.#depth;
      intervals.set([own, own + this.#step + 1, own + this.#step], 4 * beam);
    }
    device.write(this.#selfIntervals, intervals);
    if (width !== this.#width) device.write(this.#crossIntervals, this.#promptIntervals(width));
    return {
      self: device.slice(this.#selfIntervals, 0, 4 * beams),
      cross: device.slice(this.#crossIntervals, 0, 4 * beams),
    };
  }
}
