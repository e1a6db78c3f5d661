import { scale } from "../elementwise/add.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import {
  RECONSTRUCTION_LOSSES,
  type ReconstructionLoss,
  reconstructionLoss,
  reconstructionLossBackward,
} from "./reconstruction.ts";

interface Attributes {
  kind: ReconstructionLoss;
  /** Of every row. */
  weight: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "reconstructionLoss",
  cases: () =>
    [[1, 1], [7, 13], [65, 32], [0, 4]].flatMap(([rows, cols]) =>
      RECONSTRUCTION_LOSSES.map((kind) => {
        const next = noise(rows + cols);
        return {
          name: `${kind} (${rows}, ${cols})`,
          inputs: { prediction: matrixOf(rows, cols, next), target: matrixOf(rows, cols, next) },
          attributes: { kind, weight: 0.25 },
        };
      })
    ),
  reference: ({ prediction, target }, { kind, weight }) => {
    const rowLoss = new Float64Array(prediction.rows);
    prediction.data.forEach((value, i) => {
      const difference = value - target.data[i];
      const term = kind === "l1" ? Math.abs(difference) : difference ** 2;
      rowLoss[Math.floor(i / prediction.cols)] += weight * term;
    });
    return { rowLoss: { kind: "f32", rows: 1, cols: rowLoss.length, data: rowLoss } };
  },
  forward: (device, inputs, { kind, weight }) => {
    const { prediction, target } = inputs as Record<string, Matrix>;
    const weights = device.createFlat("f32", new Float32Array(prediction.rows).fill(weight));
    const rowLoss = device.createFlat("f32", prediction.rows);
    reconstructionLoss(device, prediction, target, weights, rowLoss, kind);
    return { rowLoss };
  },
  backward: (device, inputs, _outputs, { rowLoss }, { kind, weight }) => {
    const { prediction, target } = inputs as Record<string, Matrix>;
    const gradient = reconstructionLossBackward(device, prediction, target, rowLoss as Flat, kind);
    return { prediction: scale(device, gradient, weight), target: scale(device, gradient, -weight) };
  },
};
