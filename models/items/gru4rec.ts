import { z } from "zod";
import { blocks } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { gru, gruBackward, gruWeightGradients, MAX_GRU_WIDTH } from "../../kernels/sequence/gru.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import type { DropTerm, ItemBatch } from "./item_model.ts";
import { biasParameter, ITEM_EMBEDDING, ItemNetwork, itemShapeFields } from "./item_network.ts";
import { embedding, linear, selectRows } from "../layers/layers.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** Sizes of a {@link Gru4Rec}: `config.json` of its checkpoints. */
export const Gru4RecShape = z.strictObject({
  model_type: z.literal("gru4rec"),
  ...itemShapeFields,
  /** Layers. */
  num_hidden_layers: blocks(),
});
/** See the schema of this name. */
export type Gru4RecShape = z.output<typeof Gru4RecShape>;

/**
 * Recurrent recommendation (Hidasi et al. 2016, arXiv:1511.06939): item embedding, layers of gated recurrent units, and
 * products of the last layer's state with a vector an item. Every sequence starts from the state 0; dropout is on the
 * embedding and on the output of each layer.
 */
export class Gru4Rec extends ItemNetwork<Gru4RecShape> {
  /**
   * Allocates all parameters, set to 0: load or `initialize()` them next.
   * @throws {UserError} if a state of that width cannot be computed.
   */
  constructor(device: Device, shape: Gru4RecShape) {
    const { hidden_size: width } = shape;
    if (width % 4 !== 0 || width > MAX_GRU_WIDTH) {
      throw new UserError(
        `Cannot build GRU4Rec with a width of ${width}: expected a multiple of 4, at most ${MAX_GRU_WIDTH}`,
      );
    }
    super(device, shape, parameterSpecs(shape));
  }

  protected override hiddenStates(tape: Tape, batch: ItemBatch, dropped: DropTerm): Matrix {
    let stream = dropped(
      embedding(tape, this.parameters, ITEM_EMBEDDING, batch.tokens, batch.occurrences),
      0,
    );
    for (let layer = 0; layer < this.shape.num_hidden_layers; layer++) {
      stream = dropped(this.#layer(tape, batch, stream, `gru.${layer}`), layer + 1);
    }
    return selectRows(tape, stream, batch.targetRows, batch.targetRows.length, batch.inverse);
  }

  /** Matrices 1 / sqrt(3 H), the variance of PyTorch. */
  protected override freshDeviation({ table }: ParameterSpec, initializerRange: number): number {
    return table ? initializerRange : 1 / Math.sqrt(3 * this.shape.hidden_size);
  }

  #layer(tape: Tape, sequences: ItemBatch, x: Matrix, name: string): Matrix {
    const { device, parameters } = this;
    const gates = linear(tape, parameters, x, `${name}.weight_ih`, `${name}.bias_ih`);
    const [weight, bias] = [`${name}.weight_hh`, `${name}.bias_hh`];
    const recurrent = parameters.matrix(weight);
    const made = gru(device, gates, recurrent, parameters.matrix(bias), sequences);
    tape.record(() => {
      const dh = tape.gradient(made.h);
      if (!dh) return;
      const gradient = gruBackward(device, made, dh, recurrent, sequences);
      const [dWeight, dBias] = [parameters.gradient(weight)!, parameters.gradient(bias)!];
      gruWeightGradients(device, made.h, gradient.inner, sequences, dWeight, dBias);
      device.release(gradient.inner);
      tape.accumulate(gates, gradient.gates);
    });
    return made.h;
  }
}

/** What a network has besides the tables of its items. */
function parameterSpecs({ hidden_size: width, num_hidden_layers: layers }: Gru4RecShape): ParameterSpec[] {
  // The recurrent kernel reads its weight as it lies, so that one needs no transposed twin.
  const gates = (layer: string, part: string, product: boolean): ParameterSpec[] => [
    { name: `${layer}.weight_${part}`, rows: 3 * width, cols: width, init: "normal", decay: true, product },
    biasParameter(`${layer}.bias_${part}`, 3 * width),
  ];
  return [
    ...Array.from({ length: layers }, (_, layer) => `gru.${layer}`).flatMap((name) => [
      ...gates(name, "ih", true),
      ...gates(name, "hh", false),
    ]),
  ];
}
