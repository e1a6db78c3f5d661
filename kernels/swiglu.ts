import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { type KernelSpec, matrixOf, noise } from "./spec.ts";
import { expectShape, type Matrix, shapeOf } from "./tensor.ts";
import code from "./swiglu.wgsl" with { type: "text" };

const label = "kernels/swiglu.wgsl";
const forwardKernel: Kernel = {
  label,
  code,
  entry: "swiglu",
  inputs: 1,
  outputs: 1,
  flats: [],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "swiglu_backward", inputs: 2 };

/** gateUp (T, 2I) = gate | up -> silu(gate) * up (T, I). I must be a multiple of 4. */
export function swiglu(device: Device, gateUp: Matrix): Matrix {
  const width = widthOf(gateUp);
  const y = device.matrix(gateUp.rows, width);
  device.run(forwardKernel, { inputs: [gateUp], outputs: [y], ...dispatchOf(gateUp.rows, width) });
  return y;
}

/** gateUp (T, 2I), dy (T, I) -> dGate | dUp (T, 2I). */
export function swigluBackward(device: Device, gateUp: Matrix, dy: Matrix): Matrix {
  const width = widthOf(gateUp);
  expectShape("swigluBackward() dy", dy, gateUp.rows, width);
  const dGateUp = device.matrix(gateUp.rows, gateUp.cols);
  device.run(backwardKernel, { inputs: [gateUp, dy], outputs: [dGateUp], ...dispatchOf(gateUp.rows, width) });
  return dGateUp;
}

function widthOf(gateUp: Matrix): number {
  if (gateUp.cols % 8 !== 0) {
    throw new RangeError(
      `swiglu() gateUp has shape ${shapeOf(gateUp)}: expected two halves of a multiple of 4 columns`,
    );
  }
  return gateUp.cols / 2;
}

function dispatchOf(rows: number, width: number) {
  return { u32: [rows, width / 4], invocations: [width / 4, rows] as const };
}

export const spec: KernelSpec = {
  name: "swiglu",
  cases: () =>
    [[1, 8], [9, 24], [33, 72]].map(([rows, cols]) => {
      const next = noise(rows);
      return {
        name: `(${rows}, ${cols})`,
        // A gate of -200 overflows exp in a careless sigmoid.
        inputs: { gateUp: matrixOf(rows, cols, (row, col) => row === 2 && col === 1 ? -200 : next()) },
        attributes: undefined,
      };
    }),
  reference: ({ gateUp }) => {
    const width = gateUp.cols / 2;
    return {
      y: matrixLike(gateUp.rows, width, (row, col) => {
        const gate = gateUp.data[row * gateUp.cols + col];
        const up = gateUp.data[row * gateUp.cols + width + col];
        return gate / (1 + Math.exp(-gate)) * up;
      }),
    };
  },
  forward: (device, { gateUp }) => ({ y: swiglu(device, gateUp as Matrix) }),
  backward: (device, { gateUp }, _outputs, { y }) => ({
    gateUp: swigluBackward(device, gateUp as Matrix, y as Matrix),
  }),
};

// matrixOf rounds to float32, which a reference must not.
function matrixLike(rows: number, cols: number, value: (row: number, col: number) => number) {
  const data = Float64Array.from(
    { length: rows * cols },
    (_, i) => value(Math.floor(i / cols), i % cols),
  );
  return { kind: "matrix" as const, rows, cols, data };
}
