import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { swiglu, swigluBackward, swigluPair, swigluPairBackward } from "./swiglu.ts";
import { gatedUnitSpec } from "./unit_spec.ts";

const silu = (gate: number) => gate / (1 + Math.exp(-gate));

export const spec = gatedUnitSpec("swiglu", { forward: swiglu, backward: swigluBackward }, silu);

export const pairSpec: KernelSpec = {
  name: "swigluPair",
  cases: () =>
    [[1, 4], [9, 10], [33, 36]].map(([rows, cols]) => {
      const next = noise(rows);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          gate: matrixOf(rows, cols, (row, col) => row === 2 && col === 1 ? -200 : next()),
          up: matrixOf(rows, cols, next),
        },
        attributes: undefined,
      };
    }),
  reference: ({ gate, up }) => ({
    y: { ...gate, data: gate.data.map((value, i) => silu(value) * up.data[i]) },
  }),
  forward: (device, { gate, up }) => ({ y: swigluPair(device, gate as Matrix, up as Matrix) }),
  backward: (device, { gate, up }, _outputs, { y }) => ({
    ...swigluPairBackward(device, gate as Matrix, up as Matrix, y as Matrix),
  }),
};
