import { z } from "zod";
import { PhiloxStream } from "../data/philox.ts";
import { UserError } from "../data/user_error.ts";
import { activation, activationBackward } from "../kernels/activation.ts";
import { MAX_HEAD_DIM } from "../kernels/attention.ts";
import type { Device } from "../kernels/device.ts";
import { multiply } from "../kernels/multiply.ts";
import { pointwiseAttention, pointwiseAttentionBackward } from "../kernels/pointwise_attention.ts";
import type { Tape } from "../kernels/tape.ts";
import type { Matrix } from "../kernels/tensor.ts";
import type { DropTerm } from "./decoder_blocks.ts";
import type { ItemBatch, ItemModel } from "./item_model.ts";
import { centredNorm, centredNormParameters } from "./layer_norm.ts";
import { embedding, linear, residual, selectRows } from "./layers.ts";
import { Parameters, type ParameterSpec } from "./parameters.ts";

/** Sizes of a {@link Hstu}: `config.json` of its checkpoints. */
export const HstuShape = z.strictObject({
  model_type: z.literal("hstu"),
  /** Items of the catalogue, N. */
  num_items: z.int().min(1),
  /** Items of the longest history, L: distances with a bias, and the divisor of attention. */
  max_length: z.int().min(1),
  /** Width of the stream, and of each of u, q, k and v, C. */
  hidden_size: z.int().min(1),
  /** Blocks. */
  num_hidden_layers: z.int().min(1),
  /** Attention heads. */
  num_attention_heads: z.int().min(1),
  /** Whether scores are products with the item embedding, or with a matrix of their own. */
  tie_word_embeddings: z.boolean(),
});
/** See the schema of this name. */
export type HstuShape = z.output<typeof HstuShape>;

const ITEMS = "item_embedding.weight";
const OUTPUT = "output.weight";
const NORM_EPS = 1e-6; // as in the authors' code

/**
 * Hierarchical sequential transduction unit (Zhai et al. 2024, arXiv:2402.17152): blocks of u, q, k, v = silu(f(LN(x))),
 * attention silu(q . k + bias of the distance) / L in place of a softmax, and x + g(LN(attention v) * u) (eq. 1 to 3).
 * Positions enter by that bias alone, one a layer, head and distance; item sequences carry no times, so there is no bias
 * of time. A last norm precedes the dot products. Dropout is on the embedding and on what blocks add.
 */
export class Hstu implements ItemModel {
  readonly device: Device;
  readonly parameters: Parameters;
  readonly embeddingName: string = ITEMS;
  readonly outputName: string;
  readonly shape: HstuShape;

  /**
   * Allocates all parameters, set to 0: load or `initialize()` them next.
   * @throws {UserError} if heads of that width cannot be computed.
   */
  constructor(device: Device, shape: HstuShape) {
    const { hidden_size: width, num_attention_heads: heads } = shape;
    const headDim = width / heads;
    if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM) {
      throw new UserError(
        `Cannot build HSTU with ${heads} heads on a width of ${width}: heads would be ${headDim} wide, expected a ` +
          `multiple of 4, at most ${MAX_HEAD_DIM}`,
      );
    }
    this.device = device;
    this.shape = shape;
    this.outputName = shape.tie_word_embeddings ? ITEMS : OUTPUT;
    this.parameters = new Parameters(device, parameterSpecs(shape));
  }

  get items(): number {
    return this.shape.num_items;
  }

  get maxLength(): number {
    return this.shape.max_length;
  }

  /** Fresh weights: normal matrices with this standard deviation, gains 1, biases 0. */
  initialize(seed: number, initializerRange: number): void {
    const random = new PhiloxStream(seed, "hstu weights");
    this.parameters.write(this.parameters.initial(() => random.normal(), () => initializerRange));
  }

  states(tape: Tape, batch: ItemBatch, dropped: DropTerm = (x) => x): Matrix {
    const { parameters, shape: { num_hidden_layers: layers } } = this;
    let stream = dropped(embedding(tape, parameters, ITEMS, batch.tokens, batch.occurrences), 0);
    for (let layer = 0; layer < layers; layer++) {
      const added = this.#block(tape, batch, stream, `layers.${layer}`);
      stream = residual(tape, stream, dropped(added, layer + 1));
    }
    const { targetRows, inverse } = batch;
    const selected = selectRows(tape, stream, targetRows, targetRows.length, inverse);
    return centredNorm(tape, parameters, selected, "norm", NORM_EPS);
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.parameters.destroy();
  }

  /** What a block adds to the stream x (T, C). */
  #block(tape: Tape, batch: ItemBatch, x: Matrix, name: string): Matrix {
    const { parameters } = this;
    const normed = centredNorm(tape, parameters, x, `${name}.norm`, NORM_EPS);
    const project = (part: string) =>
      silu(tape, linear(tape, parameters, normed, `${name}.${part}.weight`, `${name}.${part}.bias`));
    const u = project("u");
    const attended = this.#attend(tape, batch, project("qkv"), `${name}.relative_bias`);
    const gated = product(
      tape,
      centredNorm(tape, parameters, attended, `${name}.attention_norm`, NORM_EPS),
      u,
    );
    return linear(tape, parameters, gated, `${name}.output.weight`, `${name}.output.bias`);
  }

  #attend(tape: Tape, batch: ItemBatch, qkv: Matrix, biasName: string): Matrix {
    const { device, parameters } = this;
    const bias = parameters.matrix(biasName);
    const scale = 1 / this.shape.max_length;
    const o = pointwiseAttention(device, qkv, bias, batch, scale);
    tape.record(() => {
      const dO = tape.gradient(o);
      if (!dO) return;
      const biasGradient = parameters.gradient(biasName)!;
      tape.accumulate(qkv, pointwiseAttentionBackward(device, qkv, bias, dO, biasGradient, batch, scale));
    });
    return o;
  }
}

/** x sigmoid(x), elementwise. */
function silu(tape: Tape, x: Matrix): Matrix {
  const { device } = tape;
  const y = activation(device, x, "silu");
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, activationBackward(device, x, dy, "silu"));
  });
  return y;
}

/** x y, elementwise. */
function product(tape: Tape, x: Matrix, y: Matrix): Matrix {
  const { device } = tape;
  const out = multiply(device, x, y);
  tape.record(() => {
    const gradient = tape.gradient(out);
    if (!gradient) return;
    tape.accumulate(x, multiply(device, gradient, y));
    tape.accumulate(y, multiply(device, gradient, x));
  });
  return out;
}

function parameterSpecs(shape: HstuShape): ParameterSpec[] {
  const { num_items: items, max_length: length, hidden_size: width, num_hidden_layers: layers } = shape;
  const { num_attention_heads: heads, tie_word_embeddings: tied } = shape;
  const table = (name: string, product: boolean): ParameterSpec => (
    { name, rows: items, cols: width, init: "normal", decay: true, product, table: true }
  );
  const dense = (name: string, rows: number): ParameterSpec[] => [
    { name: `${name}.weight`, rows, cols: width, init: "normal", decay: true, product: true },
    { name: `${name}.bias`, rows: 1, cols: rows, init: "zeros", decay: false, product: false },
  ];
  return [
    table(ITEMS, tied),
    ...tied ? [] : [table(OUTPUT, true)],
    ...Array.from({ length: layers }, (_, layer) => `layers.${layer}`).flatMap((name): ParameterSpec[] => [
      ...centredNormParameters(`${name}.norm`, width),
      ...dense(`${name}.u`, width),
      ...dense(`${name}.qkv`, 3 * width),
      {
        name: `${name}.relative_bias`,
        rows: heads,
        cols: length,
        init: "normal",
        decay: false,
        product: false,
      },
      ...centredNormParameters(`${name}.attention_norm`, width),
      ...dense(`${name}.output`, width),
    ]),
    ...centredNormParameters("norm", width),
  ];
}
