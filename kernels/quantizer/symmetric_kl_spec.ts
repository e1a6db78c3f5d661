import type { Device } from "../gpu/device.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { symmetricKl, symmetricKlBackward } from "./symmetric_kl.ts";

/** Weights are 1 here, so that the gradients of the losses can stand in for them; others have their own test. */
export const spec: KernelSpec = {
  name: "symmetricKl",
  cases: () =>
    [[2, 1], [6, 7], [40, 33], [0, 4]].map(([rows, cols]) => {
      const next = noise(rows + cols);
      // Logits as far from 0 as squared distances; the second row has the same distribution twice.
      const p = matrixOf(rows, cols, (row) => (row === 1 ? 300 : 0) + 2 * next());
      const q = matrixOf(rows, cols, (row, col) => row === 1 ? p.data[cols + col] : 2 * next());
      return { name: `(${rows}, ${cols})`, inputs: { p, q }, attributes: undefined };
    }),
  reference: ({ p, q }) => {
    const { rows, cols } = p;
    const logSoftmax = (logits: Float64Array) => {
      const largest = logits.reduce((a, b) => Math.max(a, b));
      const lse = largest + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0));
      return logits.map((z) => z - lse);
    };
    const rowLoss = Float64Array.from({ length: rows }, (_, row) => {
      const [logP, logQ] = [p, q].map(({ data }) => logSoftmax(data.slice(row * cols, (row + 1) * cols)));
      let sum = 0;
      for (let k = 0; k < cols; k++) {
        sum += Math.exp(logP[k]) * (logP[k] - logQ[k]) + Math.exp(logQ[k]) * (logQ[k] - logP[k]);
      }
      return sum;
    });
    return { rowLoss: { kind: "f32", rows: 1, cols: rows, data: rowLoss } };
  },
  forward: (device, inputs) => {
    const { p, q } = inputs as Record<string, Matrix>;
    const { weights, stats } = testFlats(device, p.rows);
    const rowLoss = device.createFlat("f32", p.rows);
    symmetricKl(device, p, q, weights, stats, rowLoss);
    return { rowLoss };
  },
  backward: (device, inputs, _outputs, { rowLoss }) => {
    const { p, q } = inputs as Record<string, Matrix>;
    const { weights, stats } = testFlats(device, p.rows);
    symmetricKl(device, p, q, weights, stats, device.createFlat("f32", p.rows));
    const { dp, dq } = symmetricKlBackward(device, p, q, rowLoss as Flat, stats);
    return { p: dp, q: dq };
  },
};

function testFlats(device: Device, rows: number): { weights: Flat; stats: Flat } {
  const weights = device.createFlat("f32", new Float32Array(rows).fill(1));
  return { weights, stats: device.createFlat("f32", 4 * rows) };
}
