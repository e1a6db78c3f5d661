import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./activation.wgsl" with { type: "text" };

/** In the order of the constants in activation.wgsl. "gelu" is the tanh form, "geluErf" the exact one. */
const NAMES = ["relu", "silu", "gelu", "geluErf"] as const;
/** Name of an activation; "gelu" is the tanh form, "geluErf" the exact one. */
export type ActivationName = typeof NAMES[number];

const forwardKernel: Kernel = {
  label: "kernels/elementwise/activation.wgsl",
  code,
  entry: "activation",
  inputs: 1,
  outputs: 1,
  flats: [],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "activation_backward", inputs: 2 };

/** x (N, C) -> f(x) (N, C). After a product use the `activation` of `matmul` instead, unless f is trained through. */
export function activation(device: Device, x: Matrix, name: ActivationName): Matrix {
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x], outputs: [y], ...dispatchOf(x, name) });
  return y;
}

/** x (N, C), the input of the forward call, and dy (N, C) -> dx (N, C). */
export function activationBackward(device: Device, x: Matrix, dy: Matrix, name: ActivationName): Matrix {
  expectShape("activationBackward() dy", dy, x.rows, x.cols);
  const dx = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, { inputs: [x, dy], outputs: [dx], ...dispatchOf(x, name) });
  return dx;
}

function dispatchOf({ rows, cols }: Matrix, name: ActivationName) {
  const groups = groupsOf(cols);
  return { u32: [rows, groups, NAMES.indexOf(name)], invocations: [groups, rows] as const };
}

const REFERENCES: Record<ActivationName, (x: number) => number> = {
  relu: (x) => Math.max(x, 0),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  geluErf: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
};

// 2 / sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (2n+1)!!, whose terms do not cancel; beyond 6 erf rounds to 1.
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let sum = 0;
  let term = x;
  for (let n = 0; n < 200; n++) {
    sum += term;
    term *= 2 * x * x / (2 * n + 3);
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

export const spec: KernelSpec<{ name: ActivationName }> = {
  name: "activation",
  cases: () =>
    NAMES.map((name, i) => {
      const next = noise(i);
      return {
        name,
        // Row 2 overflows a careless exp or cube.
        inputs: { x: matrixOf(11, 13, (row, col) => row === 2 ? (col - 6) * 50 : 3 * next()) },
        attributes: { name },
      };
    }),
  reference: ({ x }, { name }) => ({ y: { ...x, data: x.data.map(REFERENCES[name]) } }),
  forward: (device, { x }, { name }) => ({ y: activation(device, x as Matrix, name) }),
  backward: (device, { x }, _outputs, { y }, { name }) => ({
    x: activationBackward(device, x as Matrix, y as Matrix, name),
  }),
};
