import { z } from "zod";
import { PhiloxStream } from "../../base/philox.ts";
import { UserError } from "../../base/user_error.ts";
import { appendOne, appendOneBackward } from "../../kernels/rows/append_one.ts";
import { type AttentionShape, MAX_HEAD_DIM } from "../../kernels/attention/attention.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import type { DropTerm, ItemBatch, ItemModel } from "./item_model.ts";
import { Parameters } from "../parameters/parameters.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** What `config.json` of every item network says; each network adds its own fields. */
export const itemShapeFields = {
  /** Items of the catalogue, N. */
  num_items: z.int().min(1),
  /** Items of the longest history. */
  max_length: z.int().min(1),
  /** Width of embedding and state, C. */
  hidden_size: z.int().min(1),
  /** Whether scores are products with the item embedding, or with a matrix of their own. */
  tie_word_embeddings: z.boolean(),
  /** Whether the matrix of its own has a bias for each item. */
  output_bias: z.boolean().default(false),
};

/** Sizes that every item network has. */
export type ItemShape = z.output<z.ZodObject<typeof itemShapeFields>> & {
  /** Name of the network. */
  model_type: string;
};

/** Parameter (N, C) that items are read as. */
export const ITEM_EMBEDDING = "item_embedding.weight";
const OUTPUT = "output.weight";

/** A network over item numbers with weights of its own: what networks differ in is their parameters and `states()`. */
export abstract class ItemNetwork<S extends ItemShape> implements ItemModel {
  readonly device: Device;
  readonly parameters: Parameters;
  readonly embeddingName: string = ITEM_EMBEDDING;
  readonly outputName: string;
  readonly shape: S;

  /**
   * Allocates the tables of the items and `specs` after them, set to 0: load or `initialize()` them next.
   * @throws {UserError} for a bias of an output matrix that is the item embedding.
   */
  constructor(device: Device, shape: S, specs: readonly ParameterSpec[]) {
    const tied = shape.tie_word_embeddings;
    if (tied && shape.output_bias) {
      throw new UserError(
        "Cannot give a bias to scores that are products with the item embedding: expected an output matrix of its own. " +
          "Use --no-tie-word-embeddings, or leave out --output-bias",
      );
    }
    this.device = device;
    this.shape = shape;
    this.outputName = tied ? ITEM_EMBEDDING : OUTPUT;
    this.parameters = new Parameters(device, [
      itemTable(ITEM_EMBEDDING, shape.num_items, shape, tied),
      ...tied ? [] : [outputTable(shape)],
      ...specs,
    ]);
  }

  get items(): number {
    return this.shape.num_items;
  }

  get maxLength(): number {
    return this.shape.max_length;
  }

  /** Fresh weights: normal numbers with the deviations of {@link freshDeviation}, gains 1, biases 0. */
  initialize(seed: number, initializerRange: number): void {
    const random = new PhiloxStream(seed, `${this.shape.model_type} weights`);
    const scale = (spec: ParameterSpec) => this.freshDeviation(spec, initializerRange);
    this.parameters.write(this.parameters.initial(() => random.normal(), scale));
  }

  states(tape: Tape, batch: ItemBatch, dropped: DropTerm = (x) => x): Matrix {
    const hidden = this.hiddenStates(tape, batch, dropped);
    return this.shape.output_bias ? withOne(tape, hidden) : hidden;
  }

  /** Rows (R, C) at the `targetRows` of a batch, after all layers: what is multiplied with items. */
  protected abstract hiddenStates(tape: Tape, batch: ItemBatch, dropped: DropTerm): Matrix;

  /** Frees everything on the device. */
  destroy(): void {
    this.parameters.destroy();
  }

  /** Standard deviation of the fresh weights of a matrix: `initializerRange`, unless a network says otherwise. */
  protected freshDeviation(_spec: ParameterSpec, initializerRange: number): number {
    return initializerRange;
  }
}

/** A table of `rows` vectors as wide as the network; `product`: rows are multiplied with states. */
export function itemTable(
  name: string,
  rows: number,
  { hidden_size: cols }: ItemShape,
  product: boolean,
): ParameterSpec {
  return { name, rows, cols, init: "normal", decay: true, product, table: true };
}

/** The output matrix; with a bias, that is its last column, which meets the 1 of {@link withOne}. */
function outputTable(shape: ItemShape): ParameterSpec {
  const { num_items: rows, hidden_size: width, output_bias: bias } = shape;
  const table = itemTable(OUTPUT, rows, shape, true);
  if (!bias) return table;
  const parts = [
    { name: OUTPUT, shape: [rows, width], row: 0, col: 0 },
    { name: "output.bias", shape: [rows, 1], row: 0, col: width },
  ];
  return { ...table, cols: width + 1, parts };
}

/** x (N, C) -> (N, C + 1), the last column 1. */
function withOne(tape: Tape, x: Matrix): Matrix {
  const { device } = tape;
  const y = appendOne(device, x);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, appendOneBackward(device, dy));
  });
  return y;
}

/** Weight (rows, cols) and bias of a layer. */
export function denseParameters(name: string, rows: number, cols: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, rows, cols, init: "normal", decay: true, product: true },
    biasParameter(`${name}.bias`, rows),
  ];
}

/** A vector that is added, 0 at first. */
export function biasParameter(name: string, cols: number): ParameterSpec {
  return { name, rows: 1, cols, init: "zeros", decay: false, product: false };
}

/** Heads of a network's attention. Throws {@link UserError} if heads of that width cannot be computed. */
export function itemHeads(
  network: string,
  { hidden_size: width, num_attention_heads: heads }: { hidden_size: number; num_attention_heads: number },
): AttentionShape {
  const headDim = width / heads;
  if (headDim % 4 === 0 && headDim <= MAX_HEAD_DIM) return { heads, kvHeads: heads, headDim };
  throw new UserError(
    `Cannot build ${network} with ${heads} heads on a width of ${width}: heads would be ${headDim} wide, expected a ` +
      `multiple of 4, at most ${MAX_HEAD_DIM}`,
  );
}
