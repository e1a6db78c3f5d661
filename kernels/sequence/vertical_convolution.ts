import { columnSum } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { packedLayout } from "./packed_spec.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./vertical_convolution.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/sequence/vertical_convolution.wgsl",
  code,
  entry: "vertical_convolution",
  inputs: 2,
  outputs: 1,
  flats: ["read"],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "vertical_convolution_backward" };
const termsKernel: Kernel = { ...forwardKernel, entry: "vertical_convolution_terms" };

/**
 * Vertical filters of Caser (Tang and Wang 2018, arXiv:1809.07426): weighted sums of the latest `count` rows
 * of packed sequences. x (T, C), C a multiple of 4, weight (filters, count), oldest row first, and the position of each
 * row in its sequence u32 (T) -> (T, filters * C). What would lie before the start counts as 0.
 */
export function verticalConvolution(device: Device, x: Matrix, weight: Matrix, positions: Flat): Matrix {
  if (x.cols % 4 !== 0) {
    throw new RangeError(
      `verticalConvolution() of rows of ${x.cols}: expected a width that is a multiple of 4`,
    );
  }
  const y = device.matrix(x.rows, weight.rows * x.cols);
  device.run(forwardKernel, {
    inputs: [x, weight],
    outputs: [y],
    ...operandsOf(x, weight, positions),
    invocations: [groupsOf(y.cols), y.rows],
  });
  return y;
}

/** Gradient dy (T, filters * C) of {@link verticalConvolution} -> dx; that of the weight is added to `weightGradient`. */
export function verticalConvolutionBackward(
  device: Device,
  x: Matrix,
  weight: Matrix,
  dy: Matrix,
  weightGradient: Flat,
  positions: Flat,
): Matrix {
  expectShape("verticalConvolutionBackward() dy", dy, x.rows, weight.rows * x.cols);
  const dx = device.matrix(x.rows, x.cols);
  // As wide as the gradient, whose rows end in whole groups: its column sums are the gradient.
  const terms = device.matrix(x.rows, weight.rows * groupsOf(weight.cols) * 4, "f32");
  const operands = operandsOf(x, weight, positions);
  device.run(backwardKernel, {
    inputs: [dy, weight],
    outputs: [dx],
    ...operands,
    invocations: [groupsOf(x.cols), x.rows],
  });
  device.run(termsKernel, {
    inputs: [dy, x],
    outputs: [terms],
    ...operands,
    invocations: [groupsOf(terms.cols), x.rows],
  });
  columnSum(device, terms, weightGradient, true);
  device.release(terms);
  return dx;
}

function operandsOf(x: Matrix, weight: Matrix, positions: Flat) {
  expectLength("verticalConvolution() positions", positions, "u32", x.rows);
  return {
    flats: [positions],
    u32: [x.rows, groupsOf(x.cols), weight.cols, weight.rows, groupsOf(weight.cols)],
  };
}

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
