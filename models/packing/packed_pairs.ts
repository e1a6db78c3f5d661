import { NO_TARGET } from "../../data/packing/batches.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TokenOccurrences } from "../../kernels/rows/embedding.ts";
import { NO_ROW } from "../../kernels/rows/gather.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { FlatSections } from "../parameters/flat_sections.ts";
import { occurrenceArrays } from "./packed_tokens.ts";
import type { LossRows } from "../losses/vocabulary_loss.ts";

/** What an encoder-decoder reads of one user, and what it is to write after it: the encoder runs once for all of it. */
export interface PairGroup {
  /** Token ids of the encoder, at least one. */
  input: Uint32Array;
  /** What to write, by ascending `end`. */
  completions: readonly PairCompletion[];
}

/** One answer to the input of a {@link PairGroup}. */
export interface PairCompletion {
  /** First tokens of the input that the decoder sees. Default: all. Fewer need a causal encoder. */
  end?: number;
  /** Token ids to predict, the first from the start token; at least one. */
  targets: Uint32Array;
  /** Loss weight of each target. Default 1. */
  weight?: number;
}

/** Fixed sizes of a batch of pairs: a pair is an input and one of its completions. */
export interface PairCapacity {
  /** Rows of the encoder, Te. */
  inputs: number;
  /** Most pairs, N. */
  pairs: number;
  /** Most targets a pair, D: the decoder has N D rows. */
  depth: number;
}

/** Sequences of one stack, laid end to end. */
export interface StackRows {
  /** Token ids (T). */
  tokens: Flat;
  /** Keys that each row sees and its own row (4 T): see `relativeAttention()`. */
  intervals: Flat;
  /** Queries that see each row (2 T). */
  viewers: Flat;
  /** Rows of each token, for the gradient of the embedding. */
  occurrences: TokenOccurrences;
}

/** Rows of the decoder that one output matrix predicts from. */
export interface HeadRows {
  /** Decoder rows (R). */
  rows: Flat;
  /** Place of each decoder row among them (N D), or 0xffffffff. */
  inverse: Flat;
  /** What the loss reads and writes; targets are rows of the output matrix. */
  loss: LossRows;
}

/** A batch of pairs on the device. */
export interface PackedPairs {
  /** Rows of the encoder (Te). */
  encoder: StackRows;
  /** Rows of the decoder (N D). */
  decoder: StackRows;
  /** Encoder rows that each decoder row sees (4 N D). */
  crossIntervals: Flat;
  /** Decoder rows that see each encoder row (2 Te). */
  crossViewers: Flat;
  /** One for each output matrix. With a matrix a level, the first has the rows of the start tokens, a pair each. */
  heads: readonly HeadRows[];
  /** Weighted losses of all heads, with zeros between them: their sum is the loss. */
  rowLoss: Flat;
}

/** Token ids [start, start + rows) that an output matrix predicts. */
export interface TokenSpan {
  /** First token id. */
  start: number;
  /** How many. */
  rows: number;
}

/** What packing must know of a model. */
export interface PairModel {
  /** Output matrices, one for every place of a target or one for all. */
  readonly heads: readonly TokenSpan[];
  /** Token that the decoder starts from. */
  readonly startToken: number;
  /** Whether a token of the encoder sees those before it alone. */
  readonly causal: boolean;
}

// Slices start at multiples of 256 bytes.
const ALIGNMENT = 64;
const stackSections = (T: number) => ({
  tokens: T,
  intervals: 4 * T,
  viewers: 2 * T,
  distinct: T,
  offsets: T + 1,
  occurrences: T,
});
type StackSection = keyof ReturnType<typeof stackSections>;
type Arrays = Record<string, Uint32Array | Float32Array>;

/** Room for one batch of pairs of fixed capacity, without padding between them. */
export class PackedPairsBuffer {
  /** Its sizes. */
  readonly capacity: PairCapacity;
  /** What was last written. */
  readonly packed: PackedPairs;
  #device: Device;
  #sections: FlatSections<string>;
  #stats: Flat[];
  #model: PairModel;

  /** `model` says what heads predict, what decoders start from and what encoders see: an `EncoderDecoder` is one. */
  constructor(device: Device, capacity: PairCapacity, model: PairModel) {
    const { inputs: Te, pairs: N, depth } = capacity;
    const Td = N * depth;
    const rows = model.heads.length === 1 ? Td : N;
    this.#device = device;
    this.capacity = capacity;
    this.#model = model;
    const prefixed = (name: string, sections: Record<string, number>) =>
      Object.entries(sections).map(([section, length]) => [`${name}.${section}`, length]);
    this.#sections = new FlatSections(device, {
      ...Object.fromEntries([
        ...prefixed("encoder", stackSections(Te)),
        ...prefixed("decoder", stackSections(Td)),
        ...model.heads.flatMap((_, h) =>
          prefixed(`${h}`, { rows, inverse: Td, targets: rows, weights: rows })
        ),
      ]),
      crossIntervals: 4 * Td,
      crossViewers: 2 * Te,
    });
    const { flats } = this.#sections;
    const stride = Math.ceil(rows / ALIGNMENT) * ALIGNMENT;
    const rowLoss = device.createFlat("f32", stride * model.heads.length);
    this.#stats = model.heads.map(() => device.createFlat("f32", 4 * rows));
    this.packed = {
      encoder: stackRows(flats, "encoder"),
      decoder: stackRows(flats, "decoder"),
      crossIntervals: flats.crossIntervals,
      crossViewers: flats.crossViewers,
      heads: model.heads.map((_, h) => ({
        rows: flats[`${h}.rows`],
        inverse: flats[`${h}.inverse`],
        loss: {
          targets: flats[`${h}.targets`],
          weights: this.#sections.asFloats(`${h}.weights`),
          stats: this.#stats[h],
          rowLoss: device.slice(rowLoss, h * stride, rows),
        },
      })),
      rowLoss,
    };
  }

  /**
   * Uploads pairs. Loss weights are multiplied by `weightScale`, e.g. 1 / the number of targets of the whole step.
   * Returns where in `packed.rowLoss` the loss of each target of each pair is (N D), or 0xffffffff.
   * @throws {UserError} for pairs that do not fit, a target that is no token of its place, and completions of a part of
   * the input where the encoder is not causal or they are out of order.
   */
  write(groups: readonly PairGroup[], weightScale: number): Uint32Array {
    const { inputs: Te, pairs: N, depth } = this.capacity;
    const { heads: spans, startToken, causal } = this.#model;
    const total = groups.reduce((sum, { input }) => sum + input.length, 0);
    const pairs = groups.reduce((sum, { completions }) => sum + completions.length, 0);
    if (pairs > N || total > Te) {
      throw new UserError(
        `Cannot pack ${pairs} pairs of ${total} input tokens: expected at most ${N} and ${Te}. ` +
          "Raise the batch size or shorten the histories",
      );
    }
    const encoder = stackArrays(Te);
    const decoder = stackArrays(N * depth);
    const heads = spans.map((_, h) => {
      const rows = this.packed.heads[h].rows.length;
      return {
        rows: new Uint32Array(rows).fill(NO_ROW),
        inverse: new Uint32Array(N * depth).fill(NO_TARGET),
        targets: new Uint32Array(rows),
        weights: new Float32Array(rows),
      };
    });
    const used = heads.map(() => 0);
    const places = new Uint32Array(N * depth).fill(NO_TARGET);
    const stride = this.packed.rowLoss.length / heads.length;
    let pair = 0;
    const crossIntervals = new Uint32Array(4 * N * depth);
    const crossViewers = new Uint32Array(2 * Te);
    let [from, to] = [0, 0];
    for (const [number, group] of groups.entries()) {
      checkGroup(number, group, depth, causal);
      const { input, completions } = group;
      const end = from + input.length;
      encoder.tokens.set(input, from);
      for (let row = from; row < end; row++) {
        encoder.intervals.set([from, causal ? row + 1 : end, row], 4 * row);
        encoder.viewers.set([causal ? row : from, end], 2 * row);
      }
      let unseen = from; // first input row that no completion so far sees
      const first = to;
      for (const { end: seen = input.length, targets, weight = 1 } of completions) {
        for (; unseen < from + seen; unseen++) crossViewers[2 * unseen] = to;
        const last = to + targets.length;
        targets.forEach((token, at) => {
          const row = to + at;
          decoder.tokens[row] = at === 0 ? startToken : targets[at - 1];
          decoder.intervals.set([to, row + 1, row], 4 * row);
          decoder.viewers.set([row, last], 2 * row);
          // Places count from the end of what is seen.
          crossIntervals.set([from, from + seen, from + seen], 4 * row);
          const head = heads.length === 1 ? 0 : at;
          const target = this.#local(token, head);
          const place = used[head]++;
          heads[head].rows[place] = row;
          heads[head].inverse[row] = place;
          heads[head].targets[place] = target;
          heads[head].weights[place] = weight * weightScale;
          places[pair * depth + at] = head * stride + place;
        });
        pair++;
        to = last;
      }
      // Later completions see all that earlier ones do.
      for (let row = from; row < unseen; row++) crossViewers[2 * row + 1] = to;
      for (let row = unseen; row < end; row++) crossViewers.set([first, first], 2 * row);
      from = end;
    }
    const arrays: Arrays = { crossIntervals, crossViewers };
    const add = (name: string, values: Arrays) =>
      Object.entries(values).forEach(([section, array]) => arrays[`${name}.${section}`] = array);
    add("encoder", { ...encoder, ...occurrenceArrays(encoder.tokens, from) });
    add("decoder", { ...decoder, ...occurrenceArrays(decoder.tokens, to) });
    heads.forEach((head, h) => add(`${h}`, head));
    this.#sections.write(arrays);
    return places;
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.#sections.destroy();
    for (const flat of [this.packed.rowLoss, ...this.#stats]) this.#device.destroy(flat);
  }

  #local(token: number, head: number): number {
    const { heads: spans } = this.#model;
    const span = spans[head];
    if (span && token >= span.start && token < span.start + span.rows) return token - span.start;
    throw new UserError(
      span
        ? `Cannot train on token ${token} in place ${head}: expected ${span.start} to ${
          span.start + span.rows - 1
        }`
        : `Cannot train on a SID with more than ${head} tokens: the model has ${spans.length} code tables`,
    );
  }
}

function checkGroup(number: number, { input, completions }: PairGroup, depth: number, causal: boolean): void {
  let before = 1;
  for (const { end = input.length, targets } of completions) {
    if (input.length === 0 || targets.length === 0 || targets.length > depth) {
      throw new UserError(
        `Cannot pack pair ${number} of ${input.length} input tokens and ${targets.length} targets: expected at ` +
          `least one of each, and at most ${depth} targets`,
      );
    }
    const least = causal ? before : input.length;
    if (end < least || end > input.length) {
      throw new UserError(
        `Cannot pack pair ${number} with a completion of its first ${end} of ${input.length} input tokens: expected ` +
          (causal
            ? `${least} to ${input.length}, ascending`
            : "all of them, since the encoder is not causal"),
      );
    }
    before = end;
  }
}

function stackRows(flats: Readonly<Record<string, Flat>>, name: string): StackRows {
  const flat = (section: StackSection) => flats[`${name}.${section}`];
  return {
    tokens: flat("tokens"),
    intervals: flat("intervals"),
    viewers: flat("viewers"),
    occurrences: { tokens: flat("distinct"), offsets: flat("offsets"), rows: flat("occurrences") },
  };
}

function stackArrays(T: number) {
  return {
    tokens: new Uint32Array(T).fill(NO_ROW),
    intervals: new Uint32Array(4 * T),
    viewers: new Uint32Array(2 * T),
  };
}
