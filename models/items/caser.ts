import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import {
  verticalConvolution,
  verticalConvolutionBackward,
} from "../../kernels/sequence/vertical_convolution.ts";
import { windowMax, windowMaxBackward } from "../../kernels/sequence/window_max.ts";
import { windowRows, windowRowsBackward, type WindowShape } from "../../kernels/sequence/window.ts";
import type { DropTerm, ItemBatch } from "./item_model.ts";
import {
  biasParameter,
  denseParameters,
  ITEM_EMBEDDING,
  ItemNetwork,
  itemShapeFields,
} from "./item_network.ts";
import { embedding, linear, residual, selectRows } from "../layers/layers.ts";
import { relu } from "../layers/mlp.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** Sizes of a {@link Caser}: `config.json` of its checkpoints. */
export const CaserShape = z.strictObject({
  model_type: z.literal("caser"),
  ...itemShapeFields,
  /** Items of the window, the paper's Markov order L. */
  markov_order: z.int().min(1),
  /** Horizontal filters of each height from 1 to L. */
  horizontal_filters: z.int().min(1),
  /** Vertical filters. */
  vertical_filters: z.int().min(1),
});
/** See the schema of this name. */
export type CaserShape = z.output<typeof CaserShape>;

const VERTICAL = "vertical.weight";

/**
 * Convolutional sequence embedding (Tang and Wang 2018, arXiv:1809.07426) of the latest L items: horizontal filters of
 * heights 1 to L with a ReLU and a maximum over time, vertical filters that weigh the items, and a ReLU layer over both.
 * Every position is predicted from the window before it, so a sequence is convolved once. Positions before the first
 * item are 0, and no maximum is taken over windows that hold none. The paper's vector a user is left out: whom nobody has
 * trained on can be ranked for. Dropout is on what the filters give.
 */
export class Caser extends ItemNetwork<CaserShape> {
  /**
   * Allocates all parameters, set to 0: load or `initialize()` them next.
   * @throws {UserError} for a width that is no multiple of 4.
   */
  constructor(device: Device, shape: CaserShape) {
    if (shape.hidden_size % 4 !== 0) {
      throw new UserError(
        `Cannot build Caser with a width of ${shape.hidden_size}: expected a multiple of 4`,
      );
    }
    super(device, shape, parameterSpecs(shape));
  }

  protected override hiddenStates(tape: Tape, batch: ItemBatch, dropped: DropTerm): Matrix {
    const { parameters, shape: { markov_order: order } } = this;
    const { positions, targetRows, inverse } = batch;
    const x = embedding(tape, parameters, ITEM_EMBEDDING, batch.tokens, batch.occurrences);
    const sums = dropped(this.#vertical(tape, x, positions), 0);
    let hidden = linear(tape, parameters, sums, "hidden.vertical.weight", "hidden.bias");
    for (let height = 1; height <= order; height++) {
      const name = `horizontal.${height}`;
      const windows = windowsOf(tape, x, positions, { count: height, nearest: 0 });
      const values = linear(tape, parameters, windows, `${name}.weight`, `${name}.bias`);
      const found = dropped(relu(tape, maxOverTime(tape, values, positions, order - height + 1)), height);
      hidden = residual(tape, hidden, linear(tape, parameters, found, `hidden.${name}.weight`));
    }
    return selectRows(tape, relu(tape, hidden), targetRows, targetRows.length, inverse);
  }

  /** Filters and layers 1 / sqrt(inputs). */
  protected override freshDeviation({ table, cols }: ParameterSpec, initializerRange: number): number {
    return table ? initializerRange : 1 / Math.sqrt(cols);
  }

  #vertical(tape: Tape, x: Matrix, positions: Flat): Matrix {
    const { device, parameters } = this;
    const weight = parameters.matrix(VERTICAL);
    const y = verticalConvolution(device, x, weight, positions);
    tape.record(() => {
      const dy = tape.gradient(y);
      if (!dy) return;
      const gradient = parameters.gradient(VERTICAL)!;
      tape.accumulate(x, verticalConvolutionBackward(device, x, weight, dy, gradient, positions));
    });
    return y;
  }
}

function windowsOf(tape: Tape, x: Matrix, positions: Flat, shape: WindowShape): Matrix {
  const { device } = tape;
  const y = windowRows(device, x, positions, shape);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, windowRowsBackward(device, dy, positions, shape));
  });
  return y;
}

function maxOverTime(tape: Tape, x: Matrix, positions: Flat, count: number): Matrix {
  const { device } = tape;
  const { y, places } = windowMax(device, x, positions, count);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, windowMaxBackward(device, places, dy, positions, count));
  });
  return y;
}

/** What a network has besides the tables of its items. */
function parameterSpecs(shape: CaserShape): ParameterSpec[] {
  const { hidden_size: width, markov_order: order } = shape;
  const { horizontal_filters: horizontal, vertical_filters: vertical } = shape;
  const matrix = (name: string, rows: number, cols: number, product = true): ParameterSpec => (
    { name, rows, cols, init: "normal", decay: true, product }
  );
  return [
    matrix(VERTICAL, vertical, order, false),
    matrix("hidden.vertical.weight", width, vertical * width),
    biasParameter("hidden.bias", width),
    ...Array.from({ length: order }, (_, i) => i + 1).flatMap((height) => [
      ...denseParameters(`horizontal.${height}`, horizontal, height * width),
      matrix(`hidden.horizontal.${height}.weight`, width, horizontal),
    ]),
  ];
}
