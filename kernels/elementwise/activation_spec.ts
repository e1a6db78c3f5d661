import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { activation, ACTIVATION_NAMES, activationBackward, type ActivationName } from "./activation.ts";

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
    ACTIVATION_NAMES.map((name, i) => {
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
