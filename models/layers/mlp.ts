import { activation, activationBackward, type ActivationName } from "../../kernels/elementwise/activation.ts";
import { batchMoments, batchNorm, batchNormBackward, runningMoments } from "../../kernels/norm/batch.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { drop, linear } from "./layers.ts";
import type { Parameters } from "../parameters/parameters.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** Dropout of one forward pass. */
export interface MlpDropout {
  rate: number;
  /** See `dropout()`. */
  seed: Flat;
  /** Stream of the first layer; each layer has the next. */
  stream: number;
}

/** Sizes of an MLP. */
export interface MlpShape {
  /** Width of the input, of every hidden layer, and of the output. */
  sizes: readonly number[];
  /** Whether hidden layers are batch-normalised before their ReLU. */
  batchNorm: boolean;
}

const BATCH_NORM = { eps: 1e-5, momentum: 0.1 };

/**
 * Parameters of {@link mlp}: `name.0.weight` (sizes[1], sizes[0]), `name.0.bias` (1, sizes[1]), `name.1.weight` …, and
 * `name.0.norm.weight` … with batch normalisation.
 */
export function mlpParameters(name: string, { sizes, batchNorm }: MlpShape): ParameterSpec[] {
  return sizes.slice(1).flatMap((rows, i) => {
    const vector = { rows: 1, cols: rows, decay: true, product: false };
    const specs: ParameterSpec[] = [
      { name: `${name}.${i}.weight`, rows, cols: sizes[i], init: "normal", decay: true, product: true },
      { ...vector, name: `${name}.${i}.bias`, init: "zeros" },
    ];
    if (!batchNorm || i === sizes.length - 2) return specs;
    // Running moments have no gradient: without decay the optimizer leaves them as they are.
    return [
      ...specs,
      { ...vector, name: `${name}.${i}.norm.weight`, init: "ones" },
      { ...vector, name: `${name}.${i}.norm.bias`, init: "zeros" },
      { ...vector, name: `${name}.${i}.norm.running_mean`, init: "zeros", decay: false },
      { ...vector, name: `${name}.${i}.norm.running_var`, init: "ones", decay: false },
    ];
  });
}

/**
 * Multi-layer perceptron: dropout, linear, batch normalisation, ReLU; the last layer ends with its linear part.
 * x (N, sizes[0]) -> (N, last of sizes).
 */
export function mlp(
  tape: Tape,
  parameters: Parameters,
  name: string,
  x: Matrix,
  { sizes, batchNorm: normalized }: MlpShape,
  dropout?: MlpDropout,
): Matrix {
  const layers = sizes.length - 1;
  let y = x;
  for (let i = 0; i < layers; i++) {
    if (dropout) y = drop(tape, y, { ...dropout, stream: dropout.stream + i });
    y = linear(tape, parameters, y, `${name}.${i}.weight`, `${name}.${i}.bias`);
    if (i === layers - 1) return y;
    if (normalized) y = normalizeBatch(tape, parameters, y, `${name}.${i}.norm`);
    y = relu(tape, y);
  }
  return y;
}

/** Batch normalisation by the moments of the batch in training, by the running ones after it. x (N, C) -> (N, C). */
function normalizeBatch(tape: Tape, parameters: Parameters, x: Matrix, name: string): Matrix {
  const { device } = tape;
  const { eps, momentum } = BATCH_NORM;
  const [gain, bias] = [parameters.matrix(`${name}.weight`), parameters.matrix(`${name}.bias`)];
  const [mean, variance] = [`${name}.running_mean`, `${name}.running_var`];
  const running = { mean: parameters.value(mean), variance: parameters.value(variance), momentum };
  const moments = tape.training
    ? batchMoments(device, x, running, true)
    : runningMoments(device, parameters.matrix(mean), parameters.matrix(variance));
  const y = batchNorm(device, x, moments, gain, bias, eps);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (!dy) return;
    const gradients = {
      gain: parameters.gradient(`${name}.weight`)!,
      bias: parameters.gradient(`${name}.bias`)!,
    };
    tape.accumulate(x, batchNormBackward(device, x, moments, gain, dy, eps, gradients));
  });
  return y;
}

/** max(x, 0), elementwise. */
export function relu(tape: Tape, x: Matrix): Matrix {
  return activate(tape, x, "relu");
}

/** An activation by its name, elementwise. */
export function activate(tape: Tape, x: Matrix, name: ActivationName): Matrix {
  const { device } = tape;
  const y = activation(device, x, name);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, activationBackward(device, x, dy, name));
  });
  return y;
}
