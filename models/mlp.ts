import { activation, activationBackward } from "../kernels/activation.ts";
import type { Tape } from "../kernels/tape.ts";
import type { Flat, Matrix } from "../kernels/tensor.ts";
import { drop, linear } from "./layers.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";

/** Dropout of one forward pass. */
export interface MlpDropout {
  rate: number;
  /** See `dropout()`. */
  seed: Flat;
  /** Stream of the first layer; each layer has the next. */
  stream: number;
}

/** Parameters of {@link mlp}: `name.0.weight` (sizes[1], sizes[0]), `name.0.bias` (1, sizes[1]), `name.1.weight` … */
export function mlpParameters(name: string, sizes: readonly number[]): ParameterSpec[] {
  return sizes.slice(1).flatMap((rows, i) => [
    { name: `${name}.${i}.weight`, rows, cols: sizes[i], init: "normal", decay: true, product: true },
    { name: `${name}.${i}.bias`, rows: 1, cols: rows, init: "zeros", decay: true, product: false },
  ]);
}

/**
 * Multi-layer perceptron: dropout, linear, ReLU; the last layer without the ReLU. x (N, sizes[0]) -> (N, last of
 * sizes).
 */
export function mlp(
  tape: Tape,
  parameters: Parameters,
  name: string,
  x: Matrix,
  sizes: readonly number[],
  dropout?: MlpDropout,
): Matrix {
  const layers = sizes.length - 1;
  let y = x;
  for (let i = 0; i < layers; i++) {
    if (dropout) y = drop(tape, y, dropout.rate, dropout.seed, dropout.stream + i);
    y = linear(tape, parameters, y, `${name}.${i}.weight`, `${name}.${i}.bias`);
    if (i < layers - 1) y = relu(tape, y);
  }
  return y;
}

function relu(tape: Tape, x: Matrix): Matrix {
  const { device } = tape;
  const y = activation(device, x, "relu");
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, activationBackward(device, x, dy, "relu"));
  });
  return y;
}
