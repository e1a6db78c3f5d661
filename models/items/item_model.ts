import { type Capacity, packBatch, type PackedBatch } from "../../data/packing/batches.ts";
import type { World } from "../../base/parallel/world.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { type TokenOccurrences, tokenOccurrences } from "../../kernels/rows/embedding.ts";
import type { ReadWait } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import { type PackedTokens, PackedTokensBuffer } from "../packing/packed_tokens.ts";
import type { Parameters } from "../parameters/parameters.ts";
import { chunkLogits, vocabularyChunks } from "../losses/vocabulary_loss.ts";

/** Dropout of a matrix. `stream` is a number that no other dropout of the step has. */
export type DropTerm = (x: Matrix, stream: number) => Matrix;

/** A packed batch of item sequences on the device: `tokens` and `targets` are item numbers. */
export interface ItemBatch extends PackedTokens {
  /** Rows of each position, for the gradient of a table of positions. */
  positionRows: TokenOccurrences;
}

/** A network that reads item numbers and scores the items that may come next: what baselines train. */
export interface ItemModel {
  /** Device that holds the parameters. */
  readonly device: Device;
  /** All weights. */
  readonly parameters: Parameters;
  /** Items of the catalogue, N. */
  readonly items: number;
  /** Items of the longest history; older ones are left out. */
  readonly maxLength: number;
  /** Name of the parameter (N, C) that items are read as. */
  readonly embeddingName: string;
  /** Name of the parameter whose rows, as wide as states, are multiplied with them: a dot product is an item's score. */
  readonly outputName: string;
  /** Its architecture: `config.json` of checkpoints. */
  readonly shape: Readonly<Record<string, unknown>>;
  /**
   * States (R, width of the output matrix) at the `targetRows` of a batch, after all layers. `dropped` is the dropout of training: it is given
   * numbers that differ within a step.
   */
  states(tape: Tape, batch: ItemBatch, dropped?: DropTerm): Matrix;
}

/** Room for one batch of item sequences of fixed capacity. */
export class ItemBatchBuffer {
  readonly batch: ItemBatch;
  #device: Device;
  #tokens: PackedTokensBuffer;

  constructor(device: Device, capacity: Capacity) {
    this.#device = device;
    this.#tokens = new PackedTokensBuffer(device, capacity);
    this.batch = { ...this.#tokens.packed, positionRows: createOccurrences(device, capacity.tokens) };
  }

  /** Uploads `packed`; loss weights are multiplied by `weightScale`. */
  write(packed: PackedBatch, weightScale: number): void {
    this.#tokens.write(packed, weightScale);
    writeOccurrences(this.#device, this.batch.positionRows, packed.positions, packed.counts.tokens);
  }

  destroy(): void {
    this.#tokens.destroy();
    destroyOccurrences(this.#device, this.batch.positionRows);
  }
}

/** Room for the occurrences of so many tokens. */
export function createOccurrences(device: Device, length: number): TokenOccurrences {
  const [tokens, offsets, rows] = [length, length + 1, length].map((n) => device.createFlat("u32", n));
  return { tokens, offsets, rows };
}

/** Uploads where the first `count` of `tokens`, as many as there is room for, stand. */
export function writeOccurrences(
  device: Device,
  to: TokenOccurrences,
  tokens: Uint32Array,
  count: number,
): void {
  const found = tokenOccurrences(tokens, count);
  device.write(to.tokens, found.tokens);
  device.write(to.offsets, found.offsets);
  device.write(to.rows, found.rows);
}

/** Frees what {@link createOccurrences} made. */
export function destroyOccurrences(device: Device, { tokens, offsets, rows }: TokenOccurrences): void {
  for (const flat of [tokens, offsets, rows]) device.destroy(flat);
}

// Bounds the scores that are read back at a time: 32 MiB.
const MOST_SCORES = 2 ** 23;
const MOST_HISTORIES = 256;
/** Batches have room for a power of this many histories: few sizes exist, and what is computed in vain stays little. */
const SIZES_APART = 4;
/** Tokens a history that batches have room for. */
const MEAN_LENGTH = 16;

/** Scores of all items for histories of a trained {@link ItemModel}. */
export class ItemScores {
  #model: ItemModel;
  #capacity: Capacity;
  /** By the histories that they have room for. */
  #buffers = new Map<number, ItemBatchBuffer>();

  constructor(model: ItemModel) {
    this.#model = model;
    const rows = Math.max(1, Math.min(MOST_HISTORIES, Math.floor(MOST_SCORES / model.items)));
    this.#capacity = this.#roomOf(rows);
  }

  /**
   * Scores (N) for each history of item numbers, oldest first, in batches of any size: one list at a time is made. `wait`
   * is for the last batch, its beginning for each.
   * @throws {UserError} for a history that is empty or names an item that the model does not have.
   */
  async *of(histories: readonly (readonly number[])[], wait: ReadWait = {}): AsyncGenerator<Float32Array> {
    for (const { read, isLast } of this.#batches(histories)) {
      yield* await this.#score(read, isLast ? wait : { begin: wait.begin });
    }
  }

  /**
   * The same by batch, of which each rank of a world has its share: those that one rank would have, since what is found
   * in one may depend on its shape. `first` is the number of the first history.
   */
  async *dealt(
    histories: readonly (readonly number[])[],
    { rank, size }: Pick<World, "rank" | "size">,
  ): AsyncGenerator<{ first: number; lists: Float32Array[] }> {
    let first = 0, number = 0;
    for (const { read } of this.#batches(histories)) {
      if (number++ % size === rank) yield { first, lists: await this.#score(read, {}) };
      first += read.length;
    }
  }

  destroy(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }

  /** What is read of the histories, as many at once as there is room for. */
  *#batches(
    histories: readonly (readonly number[])[],
  ): Generator<{ read: Uint32Array[]; isLast: boolean }> {
    const { maxLength } = this.#model;
    const { tokens, rows } = this.#capacity;
    let waiting: Uint32Array[] = [];
    let used = 0;
    for (const history of histories) {
      this.#check(history);
      const read = Uint32Array.from(history.slice(-maxLength));
      if (waiting.length === rows || used + read.length > tokens) {
        yield { read: waiting, isLast: false };
        waiting = [];
        used = 0;
      }
      waiting.push(read);
      used += read.length;
    }
    if (waiting.length > 0) yield { read: waiting, isLast: true };
  }

  #roomOf(rows: number): Capacity {
    return { tokens: Math.max(this.#model.maxLength, MEAN_LENGTH * rows), rows };
  }

  /** The smallest batch that holds so much. */
  #bufferFor(histories: number, tokens: number): ItemBatchBuffer {
    let room = this.#roomOf(1);
    while (room.rows < histories || room.tokens < tokens) room = this.#roomOf(SIZES_APART * room.rows);
    if (room.rows > this.#capacity.rows) room = this.#capacity;
    let buffer = this.#buffers.get(room.rows);
    if (!buffer) this.#buffers.set(room.rows, buffer = new ItemBatchBuffer(this.#model.device, room));
    return buffer;
  }

  #check(history: readonly number[]): void {
    const { items } = this.#model;
    if (history.length === 0) {
      throw new UserError("Cannot score items for an empty history: expected at least one item");
    }
    const wrong = history.find((item) => !(Number.isInteger(item) && item >= 0 && item < items));
    if (wrong === undefined) return;
    throw new UserError(
      `Cannot score items for a history with item ${wrong}: the model has the items 0 to ${items - 1}`,
    );
  }

  async #score(histories: Uint32Array[], wait: ReadWait): Promise<Float32Array[]> {
    const { device, parameters, outputName, items } = this.#model;
    const sequences = histories.map((tokens) => ({
      tokens,
      targets: [{ at: tokens.length - 1, token: 0, weight: 1 }],
    }));
    const used = histories.reduce((sum, { length }) => sum + length, 0);
    const buffer = this.#bufferFor(histories.length, used);
    const { batch } = buffer;
    buffer.write(packBatch(sequences, { tokens: batch.tokens.length, rows: batch.targets.length }), 1);
    const chunks = vocabularyChunks(parameters.blocks(outputName), items);
    // The scope ends before the wait, in which others may record their work.
    const { reading } = device.scope(() => {
      const states = this.#model.states(new Tape(device, false), batch);
      return {
        reading: device.readAfter(wait, ...chunks.map((chunk) => chunkLogits(device, states, chunk))),
      };
    });
    const parts = await reading;
    return histories.map((_, row) => {
      const scores = new Float32Array(items);
      chunks.forEach(({ block, start, count }, i) => {
        scores.set(parts[i].subarray(row * count, (row + 1) * count), block.start + start);
      });
      return scores;
    });
  }
}
