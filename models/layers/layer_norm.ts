import { columnSum } from "../../kernels/reduce/column_sum.ts";
import { layerNorm, layerNormBackward } from "../../kernels/norm/layer.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import type { Weights } from "../parameters/parameters.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** Parameters of {@link centredNorm}: gain `name.weight` and `name.bias`, (1, width) each. */
export function centredNormParameters(name: string, width: number): ParameterSpec[] {
  const vector = { rows: 1, cols: width, decay: false, product: false };
  return [
    { ...vector, name: `${name}.weight`, init: "ones" },
    { ...vector, name: `${name}.bias`, init: "zeros" },
  ];
}

/** LayerNorm (arXiv:1607.06450) with gain `name.weight` and bias `name.bias`. x (N, C) -> (N, C). */
export function centredNorm(tape: Tape, parameters: Weights, x: Matrix, name: string, eps: number): Matrix {
  const { device } = tape;
  const [weight, bias] = [`${name}.weight`, `${name}.bias`];
  const gain = parameters.matrix(weight);
  const y = layerNorm(device, x, gain, parameters.matrix(bias), eps);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (!dy) return;
    const { dx, gainTerms } = layerNormBackward(device, x, gain, dy, eps);
    const gainGradient = parameters.gradient(weight);
    if (gainGradient) columnSum(device, gainTerms, gainGradient, true);
    const biasGradient = parameters.gradient(bias);
    if (biasGradient) columnSum(device, dy, biasGradient, true);
    device.release(gainTerms);
    tape.accumulate(x, dx);
  });
  return y;
}
