import { z } from "zod";
import { blocks } from "../../base/fields.ts";
import { activation, activationBackward } from "../../kernels/elementwise/activation.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { multiply } from "../../kernels/elementwise/multiply.ts";
import {
  pointwiseAttention,
  pointwiseAttentionBackward,
} from "../../kernels/relative_attention/pointwise_attention.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import type { DropTerm, ItemBatch } from "./item_model.ts";
import { denseParameters, ITEM_EMBEDDING, itemHeads, ItemNetwork, itemShapeFields } from "./item_network.ts";
import { centredNorm, centredNormParameters } from "../layers/layer_norm.ts";
import { embedding, linear, residual, selectRows } from "../layers/layers.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** Sizes of a {@link Hstu}: `config.json` of its checkpoints. */
export const HstuShape = z.strictObject({
  model_type: z.literal("hstu"),
  ...itemShapeFields,
  /** Blocks. */
  num_hidden_layers: blocks(),
  /** Attention heads. */
  num_attention_heads: z.int().min(1),
});
/** See the schema of this name. */
export type HstuShape = z.output<typeof HstuShape>;

const NORM_EPS = 1e-6; // as in the authors' code

/**
 * Hierarchical sequential transduction unit (Zhai et al. 2024, arXiv:2402.17152): blocks of u, q, k, v = silu(f(LN(x))),
 * attention silu(q . k + bias of the distance) / L in place of a softmax, and x + g(LN(attention v) * u) (eq. 1 to 3).
 * Positions enter by that bias alone, one a layer, head and distance; item sequences carry no times, so there is no bias
 * of time. A last norm precedes the dot products. Dropout is on the embedding and on what blocks add.
 */
export class Hstu extends ItemNetwork<HstuShape> {
  /**
   * Allocates all parameters, set to 0: load or `initialize()` them next.
   * @throws {UserError} if heads of that width cannot be computed.
   */
  constructor(device: Device, shape: HstuShape) {
    itemHeads("HSTU", shape);
    super(device, shape, parameterSpecs(shape));
  }

  protected override hiddenStates(tape: Tape, batch: ItemBatch, dropped: DropTerm): Matrix {
    const { parameters, shape: { num_hidden_layers: layers } } = this;
    let stream = dropped(embedding(tape, parameters, ITEM_EMBEDDING, batch.tokens, batch.occurrences), 0);
    for (let layer = 0; layer < layers; layer++) {
      const added = this.#block(tape, batch, stream, `layers.${layer}`);
      stream = residual(tape, stream, dropped(added, layer + 1));
    }
    const { targetRows, inverse } = batch;
    const selected = selectRows(tape, stream, targetRows, targetRows.length, inverse);
    return centredNorm(tape, parameters, selected, "norm", NORM_EPS);
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

/** What a network has besides the tables of its items: a bias for each distance up to the longest history. */
function parameterSpecs(shape: HstuShape): ParameterSpec[] {
  const { max_length: length, hidden_size: width, num_hidden_layers: layers } = shape;
  const dense = (name: string, rows: number) => denseParameters(name, rows, width);
  return [
    ...Array.from({ length: layers }, (_, layer) => `layers.${layer}`).flatMap((name): ParameterSpec[] => [
      ...centredNormParameters(`${name}.norm`, width),
      ...dense(`${name}.u`, width),
      ...dense(`${name}.qkv`, 3 * width),
      {
        name: `${name}.relative_bias`,
        rows: shape.num_attention_heads,
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
