import { packedLayout } from "./window_spec.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { verticalConvolution, verticalConvolutionBackward } from "./vertical_convolution.ts";

export const spec: KernelSpec = {
  name: "verticalConvolution",
  cases: () =>
    [
      { lengths: [3, 1, 9], unused: 2, width: 8, filters: 3, count: 8 },
      { lengths: [5, 2], unused: 0, width: 12, filters: 1, count: 4 },
    ].map(({ lengths, unused, width, filters, count }) => {
      const { rows, positions } = packedLayout(lengths, unused);
      const next = noise(rows * count);
      return {
        name: `${filters} filters of ${count} rows over (${rows}, ${width})`,
        inputs: { x: matrixOf(rows, width, next), weight: matrixOf(filters, count, next), positions },
        attributes: undefined,
      };
    }),
  reference: ({ x, weight, positions }) => {
    const cols = weight.rows * x.cols;
    const data = new Float64Array(x.rows * cols);
    for (let row = 0; row < x.rows; row++) {
      for (let i = 0; i < cols; i++) {
        const filter = Math.floor(i / x.cols);
        for (let slot = 0; slot < weight.cols; slot++) {
          const lag = weight.cols - 1 - slot;
          if (lag > positions.data[row]) continue;
          data[row * cols + i] += weight.data[filter * weight.cols + slot] *
            x.data[(row - lag) * x.cols + i % x.cols];
        }
      }
    }
    return { y: { kind: "matrix", rows: x.rows, cols, data } };
  },
  forward: (device, { x, weight, positions }) => ({
    y: verticalConvolution(device, x as Matrix, weight as Matrix, positions as Flat),
  }),
  backward: (device, inputs, _outputs, { y }) => {
    const { x, weight } = inputs as Record<string, Matrix>;
    const gradient = device.createFlat("f32", weight.rows * weight.cols);
    const positions = inputs.positions as Flat;
    const dx = verticalConvolutionBackward(device, x, weight, y as Matrix, gradient, positions);
    return { x: dx, weight: gradient };
  },
};
