import type { GatedUnit } from "./unit.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";

/** Spec of a gated unit; `reference` is its function of the gate in float64. */
export function gatedUnitSpec(
  name: string,
  { forward, backward }: GatedUnit,
  reference: (gate: number) => number,
): KernelSpec {
  return {
    name,
    cases: () =>
      [[1, 8], [9, 24], [33, 72]].map(([rows, cols]) => {
        const next = noise(rows);
        return {
          name: `(${rows}, ${cols})`,
          // A gate of -200 overflows a careless exp or cube.
          inputs: { gateUp: matrixOf(rows, cols, (row, col) => row === 2 && col === 1 ? -200 : next()) },
          attributes: undefined,
        };
      }),
    reference: ({ gateUp }) => {
      const width = gateUp.cols / 2;
      const data = new Float64Array(gateUp.rows * width);
      for (let i = 0; i < data.length; i++) {
        const at = Math.floor(i / width) * gateUp.cols + i % width;
        data[i] = reference(gateUp.data[at]) * gateUp.data[at + width];
      }
      return { y: { kind: "matrix", rows: gateUp.rows, cols: width, data } };
    },
    forward: (device, { gateUp }) => ({ y: forward(device, gateUp as Matrix) }),
    backward: (device, { gateUp }, _outputs, { y }) => ({
      gateUp: backward(device, gateUp as Matrix, y as Matrix),
    }),
  };
}
