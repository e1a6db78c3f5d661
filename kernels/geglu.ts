import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { type KernelSpec, matrixOf, noise } from "./spec.ts";
import { expectShape, type Matrix, shapeOf } from "./tensor.ts";
import code from "./geglu.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/geglu.wgsl",
  code,
  entry: "geglu",
  inputs: 1,
  outputs: 1,
  flats: [],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "geglu_backward", inputs: 2 };

/**
 * Gated unit with the tanh form of GELU (Shazeer 2020, arXiv:2002.05202): gateUp (T, 2I) = gate | up ->
 * gelu(gate) * up (T, I). I must be a multiple of 4.
 */
export function geglu(device: Device, gateUp: Matrix): Matrix {
  const width = widthOf(gateUp);
  const y = device.matrix(gateUp.rows, width);
  device.run(forwardKernel, { inputs: [gateUp], outputs: [y], ...dispatchOf(gateUp.rows, width) });
  return y;
}

/** gateUp (T, 2I), dy (T, I) -> dGate | dUp (T, 2I). */
export function gegluBackward(device: Device, gateUp: Matrix, dy: Matrix): Matrix {
  const width = widthOf(gateUp);
  expectShape("gegluBackward() dy", dy, gateUp.rows, width);
  const dGateUp = device.matrix(gateUp.rows, gateUp.cols);
  device.run(backwardKernel, { inputs: [gateUp, dy], outputs: [dGateUp], ...dispatchOf(gateUp.rows, width) });
  return dGateUp;
}

function widthOf(gateUp: Matrix): number {
  if (gateUp.cols % 8 !== 0) {
    throw new RangeError(
      `geglu() gateUp has shape ${shapeOf(gateUp)}: expected two halves of a multiple of 4 columns`,
    );
  }
  return gateUp.cols / 2;
}

function dispatchOf(rows: number, width: number) {
  return { u32: [rows, width / 4], invocations: [width / 4, rows] as const };
}

export const spec: KernelSpec = {
  name: "geglu",
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
      const gate = gateUp.data[at];
      const tanh = Math.tanh(Math.sqrt(2 / Math.PI) * (gate + 0.044715 * gate ** 3));
      data[i] = 0.5 * gate * (1 + tanh) * gateUp.data[at + width];
    }
    return { y: { kind: "matrix", rows: gateUp.rows, cols: width, data } };
  },
  forward: (device, { gateUp }) => ({ y: geglu(device, gateUp as Matrix) }),
  backward: (device, { gateUp }, _outputs, { y }) => ({
    gateUp: gegluBackward(device, gateUp as Matrix, y as Matrix),
  }),
};
