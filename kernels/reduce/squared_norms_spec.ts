import { columnSum } from "./column_sum.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import { squaredNorms, squaredNormsBackward } from "./squared_norms.ts";

const FACTOR = -0.5;

export const spec: KernelSpec = {
  name: "squaredNorms",
  cases: () =>
    // Whole groups of four columns: the gradient is a flat without padding then.
    [[1, 4], [7, 12], [35, 32]].map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: matrixOf(rows, cols, noise(rows)) },
      attributes: undefined,
    })),
  reference: ({ x }) => {
    const data = new Float64Array(x.rows);
    x.data.forEach((value, i) => data[Math.floor(i / x.cols)] += FACTOR * value ** 2);
    return { norms: { kind: "matrix", rows: 1, cols: x.rows, data } };
  },
  forward: (device, { x }) => ({ norms: squaredNorms(device, x as Matrix, FACTOR) }),
  backward: (device, inputs, _outputs, gradients) => {
    const [x, norms] = [inputs.x as Matrix, gradients.norms as Matrix];
    const slopes = device.createFlat("f32", groupsOf(norms.cols) * 4);
    columnSum(device, norms, slopes, false);
    const gradient = device.createFlat("f32", x.rows * x.cols);
    squaredNormsBackward(device, x, slopes, FACTOR, gradient);
    return { x: gradient };
  },
};
