import { z } from "zod";
import type { AttentionShape } from "../kernels/attention.ts";
import type { Device } from "../kernels/device.ts";
import type { Tape } from "../kernels/tape.ts";
import type { Matrix } from "../kernels/tensor.ts";
import type { DropTerm } from "./decoder_blocks.ts";
import type { ItemBatch } from "./item_model.ts";
import {
  denseParameters,
  itemHeads,
  ItemNetwork,
  ITEMS,
  itemShapeFields,
  itemTable,
} from "./item_network.ts";
import { centredNorm, centredNormParameters } from "./layer_norm.ts";
import { embedding, linear, residual, selectRows, selfAttention } from "./layers.ts";
import { relu } from "./mlp.ts";
import type { ParameterSpec } from "./parameters.ts";

/** Sizes of a {@link Sasrec}: `config.json` of its checkpoints. */
export const SasrecShape = z.strictObject({
  model_type: z.literal("sasrec"),
  ...itemShapeFields,
  /** Blocks. */
  num_hidden_layers: z.int().min(1),
  /** Attention heads. */
  num_attention_heads: z.int().min(1),
});
/** See the schema of this name. */
export type SasrecShape = z.output<typeof SasrecShape>;

const POSITIONS = "position_embedding.weight";
const NORM_EPS = 1e-8; // as in the authors' code

/**
 * Self-attentive sequential recommendation (Kang and McAuley 2018, arXiv:1808.09781): item embedding plus learned
 * position, blocks x + SA(LN(x)) and x + FFN(LN(x)) without an output projection and with a ReLU layer as wide as the
 * stream (eq. 2 to 6, section III.E), a last norm, and dot products with the item embedding (eq. 7). Sequences are packed
 * without padding and positions count from the oldest item; dropout is on the embeddings and on what blocks add.
 */
export class Sasrec extends ItemNetwork<SasrecShape> {
  readonly #heads: AttentionShape;

  /**
   * Allocates all parameters, set to 0: load or `initialize()` them next.
   * @throws {UserError} if heads of that width cannot be computed.
   */
  constructor(device: Device, shape: SasrecShape) {
    const heads = itemHeads("SASRec", shape);
    super(device, shape, parameterSpecs(shape));
    this.#heads = heads;
  }

  states(tape: Tape, batch: ItemBatch, dropped: DropTerm = (x) => x): Matrix {
    const { parameters, shape: { num_hidden_layers: layers } } = this;
    const embedded = embedding(tape, parameters, ITEMS, batch.tokens, batch.occurrences);
    const places = embedding(tape, parameters, POSITIONS, batch.positions, batch.positionRows);
    let stream = dropped(residual(tape, embedded, places), 0);
    for (let layer = 0; layer < layers; layer++) stream = this.#block(tape, batch, stream, layer, dropped);
    const { targetRows, inverse } = batch;
    const selected = selectRows(tape, stream, targetRows, targetRows.length, inverse);
    return centredNorm(tape, parameters, selected, "norm", NORM_EPS);
  }

  #block(tape: Tape, batch: ItemBatch, x: Matrix, layer: number, dropped: DropTerm): Matrix {
    const { parameters } = this;
    const name = (part: string) => `layers.${layer}.${part}`;
    const project = (x: Matrix, part: string) =>
      linear(tape, parameters, x, name(`${part}.weight`), name(`${part}.bias`));
    const normed = centredNorm(tape, parameters, x, name("attention_norm"), NORM_EPS);
    const qkv = project(normed, "qkv");
    const attended = selfAttention(tape, qkv, batch.intervals, batch.viewers, this.#heads);
    const sum = residual(tape, x, dropped(attended, 2 * layer + 1));
    const wide = project(
      centredNorm(tape, parameters, sum, name("feed_forward_norm"), NORM_EPS),
      "feed_forward.0",
    );
    return residual(tape, sum, dropped(project(relu(tape, wide), "feed_forward.1"), 2 * layer + 2));
  }
}

/** What a network has besides the tables of its items. */
function parameterSpecs(shape: SasrecShape): ParameterSpec[] {
  const { max_length: positions, hidden_size: width, num_hidden_layers: layers } = shape;
  const dense = (name: string, rows: number) => denseParameters(name, rows, width);
  return [
    itemTable(POSITIONS, positions, shape, false),
    ...Array.from({ length: layers }, (_, layer) => `layers.${layer}`).flatMap((name) => [
      ...centredNormParameters(`${name}.attention_norm`, width),
      ...dense(`${name}.qkv`, 3 * width),
      ...centredNormParameters(`${name}.feed_forward_norm`, width),
      ...dense(`${name}.feed_forward.0`, width),
      ...dense(`${name}.feed_forward.1`, width),
    ]),
    ...centredNormParameters("norm", width),
  ];
}
