import { z } from "zod";
import { blocks } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import type { AttentionShape } from "../../kernels/attention/attention.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import { biasedAttention, scaled } from "../encoder_decoder/layers.ts";
import type { DropTerm, ItemBatch } from "./item_model.ts";
import {
  denseParameters,
  ITEM_EMBEDDING,
  itemHeads,
  ItemNetwork,
  itemShapeFields,
  itemTable,
} from "./item_network.ts";
import { centredNorm, centredNormParameters } from "../layers/layer_norm.ts";
import { embedding, linear, residual, selectRows, selfAttention } from "../layers/layers.ts";
import { relu } from "../layers/mlp.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** Sizes of a {@link Sasrec}: `config.json` of its checkpoints. */
export const SasrecShape = z.strictObject({
  model_type: z.literal("sasrec"),
  ...itemShapeFields,
  /** Blocks. */
  num_hidden_layers: blocks(),
  /** Attention heads. */
  num_attention_heads: z.int().min(1),
  /** `paper`, or `reference`: see {@link Sasrec}. */
  block: z.enum(["paper", "reference"]).default("paper"),
});
/** See the schema of this name. */
export type SasrecShape = z.output<typeof SasrecShape>;

const POSITIONS = "position_embedding.weight";
/** Of norms: as in the authors' code, and PyTorch's default. */
const NORM_EPS = { paper: 1e-8, reference: 1e-5 };

/**
 * Self-attentive sequential recommendation (Kang and McAuley 2018, arXiv:1808.09781): item embedding plus learned
 * position, blocks x + SA(LN(x)) and x + FFN(LN(x)) without an output projection and with a ReLU layer as wide as the
 * stream (eq. 2 to 6, section III.E), a last norm, and dot products with the item embedding (eq. 7). Sequences are packed
 * without padding and positions count from the oldest item; dropout is on the embeddings and on what blocks add.
 *
 * The `reference` block is that of MiniOneRec's and MIMIGenRec's SASRec: queries are of n = LN(x), keys and values of x
 * itself, scores are divided by the root of the whole width, and what is added is added to the normalised vectors:
 * m = LN(n + SA), then LN(m + FFN(m)). There dropout is on attention weights too, here on the sums of values alone.
 */
export class Sasrec extends ItemNetwork<SasrecShape> {
  readonly #heads: AttentionShape;

  /**
   * Allocates all parameters, set to 0: load or `initialize()` them next.
   * @throws {UserError} if heads of that width cannot be computed, or the block of the references has several.
   */
  constructor(device: Device, shape: SasrecShape) {
    const heads = itemHeads("SASRec", shape);
    if (shape.block === "reference" && heads.heads > 1) {
      throw new UserError(
        `Cannot build SASRec with the block of the references and ${heads.heads} heads: expected 1. Use ` +
          "--num-attention-heads 1, or --block paper",
      );
    }
    super(device, shape, parameterSpecs(shape));
    this.#heads = heads;
  }

  protected override hiddenStates(tape: Tape, batch: ItemBatch, dropped: DropTerm): Matrix {
    const { parameters, shape: { num_hidden_layers: layers } } = this;
    const embedded = embedding(tape, parameters, ITEM_EMBEDDING, batch.tokens, batch.occurrences);
    const places = embedding(tape, parameters, POSITIONS, batch.positions, batch.positionRows);
    let stream = dropped(residual(tape, embedded, places), 0);
    for (let layer = 0; layer < layers; layer++) {
      const name = `layers.${layer}`;
      stream = this.shape.block === "paper"
        ? this.#block(tape, batch, stream, name, (x, part) => dropped(x, 2 * layer + part))
        : this.#referenceBlock(tape, batch, stream, name, (x, part) => dropped(x, 2 * layer + part));
    }
    const { targetRows, inverse } = batch;
    const selected = selectRows(tape, stream, targetRows, targetRows.length, inverse);
    return this.#norm(tape, selected, "norm");
  }

  #block(tape: Tape, batch: ItemBatch, x: Matrix, name: string, dropped: DropTerm): Matrix {
    const normed = this.#norm(tape, x, `${name}.attention_norm`);
    const qkv = this.#project(tape, normed, `${name}.qkv`);
    const attended = selfAttention(tape, qkv, batch.intervals, batch.viewers, this.#heads);
    const sum = residual(tape, x, dropped(attended, 1));
    const forward = this.#feedForward(tape, this.#norm(tape, sum, `${name}.feed_forward_norm`), name);
    return residual(tape, sum, dropped(forward, 2));
  }

  #referenceBlock(tape: Tape, batch: ItemBatch, x: Matrix, name: string, dropped: DropTerm): Matrix {
    const { parameters, shape: { hidden_size: width } } = this;
    const normed = this.#norm(tape, x, `${name}.attention_norm`);
    const queries = scaled(tape, this.#project(tape, normed, `${name}.query`), 1 / Math.sqrt(width));
    const keyValues = { matrix: this.#project(tape, x, `${name}.key_value`), k: 0, v: width };
    const attended = biasedAttention(
      tape,
      parameters,
      { matrix: queries, q: 0 },
      keyValues,
      batch,
      this.#heads,
      {},
    );
    const sum = residual(tape, normed, dropped(attended, 1));
    const middle = this.#norm(tape, sum, `${name}.feed_forward_norm`);
    const forward = this.#feedForward(tape, middle, name);
    return this.#norm(tape, residual(tape, middle, dropped(forward, 2)), `${name}.output_norm`);
  }

  #feedForward(tape: Tape, x: Matrix, name: string): Matrix {
    const wide = relu(tape, this.#project(tape, x, `${name}.feed_forward.0`));
    return this.#project(tape, wide, `${name}.feed_forward.1`);
  }

  #project(tape: Tape, x: Matrix, name: string): Matrix {
    return linear(tape, this.parameters, x, `${name}.weight`, `${name}.bias`);
  }

  #norm(tape: Tape, x: Matrix, name: string): Matrix {
    return centredNorm(tape, this.parameters, x, name, NORM_EPS[this.shape.block]);
  }
}

/** What a network has besides the tables of its items. */
function parameterSpecs(shape: SasrecShape): ParameterSpec[] {
  const { max_length: positions, hidden_size: width, num_hidden_layers: layers } = shape;
  const dense = (name: string, rows: number) => denseParameters(name, rows, width);
  const paper = shape.block === "paper";
  return [
    itemTable(POSITIONS, positions, shape, false),
    ...Array.from({ length: layers }, (_, layer) => `layers.${layer}`).flatMap((name) => [
      ...centredNormParameters(`${name}.attention_norm`, width),
      ...paper ? dense(`${name}.qkv`, 3 * width) : [
        ...dense(`${name}.query`, width),
        ...dense(`${name}.key_value`, 2 * width),
        ...centredNormParameters(`${name}.output_norm`, width),
      ],
      ...centredNormParameters(`${name}.feed_forward_norm`, width),
      ...dense(`${name}.feed_forward.0`, width),
      ...dense(`${name}.feed_forward.1`, width),
    ]),
    ...centredNormParameters("norm", width),
  ];
}
