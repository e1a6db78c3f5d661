import type { Device } from "../gpu/device.ts";
import { flatOf, type KernelSpec, matrixOf, noise, type Values } from "../gpu/spec.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import { batchMoments, batchNorm, batchNormBackward } from "./batch.ts";

const EPS = 1e-2;
const SHAPES = [[5, 12], [3, 7], [70, 33], [2, 1]];

// The second column is constant: eps alone must keep it finite. The first is far from 0.
function testInput(rows: number, cols: number): Values {
  const next = noise(rows * cols);
  return matrixOf(rows, cols, (_, col) => col === 1 ? 3 : col === 0 ? 20 + next() : next());
}

/** Mean and sum of squared differences from it, of every column. */
function columnMoments({ data, rows, cols }: Values): { mean: number; squares: number }[] {
  return Array.from({ length: cols }, (_, col) => {
    const column = Array.from({ length: rows }, (_, row) => data[row * cols + col]);
    const mean = column.reduce((sum, value) => sum + value, 0) / rows;
    return { mean, squares: column.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
  });
}

export const batchMomentsSpec: KernelSpec<{ momentum: number }> = {
  name: "batchMoments",
  cases: () =>
    SHAPES.map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: testInput(rows, cols) },
      attributes: { momentum: 0.1 },
    })),
  reference: ({ x }, { momentum }) => {
    const columns = columnMoments(x);
    const padded = (values: number[]) => flatOf("f32", [...values, ...new Array(-x.cols & 3).fill(0)]);
    const moments = [...columns.map(({ mean }) => mean), ...columns.map(({ squares }) => squares / x.rows)];
    return {
      moments: { kind: "matrix", rows: 2, cols: x.cols, data: Float64Array.from(moments) },
      mean: padded(columns.map(({ mean }) => momentum * mean)),
      variance: padded(columns.map(({ squares }) => momentum * squares / Math.max(x.rows - 1, 1))),
    };
  },
  forward: (device, inputs, { momentum }) => {
    const x = inputs.x as Matrix;
    const [mean, variance] = [0, 1].map(() => device.createFlat("f32", groupsOf(x.cols) * 4));
    const moments = batchMoments(device, x, { mean, variance, momentum }, true);
    batchMoments(device, x, { mean, variance, momentum }, false); // must not move them
    return { moments, mean, variance };
  },
};

export const batchNormSpec: KernelSpec = {
  name: "batchNorm",
  cases: () =>
    SHAPES.map(([rows, cols]) => {
      const next = noise(rows + cols);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          x: testInput(rows, cols),
          gain: matrixOf(1, cols, next),
          bias: matrixOf(1, cols, next),
        },
        attributes: undefined,
      };
    }),
  reference: ({ x, gain, bias }) => {
    const columns = columnMoments(x);
    const y = x.data.map((value, i) => {
      const c = i % x.cols;
      const { mean, squares } = columns[c];
      return (value - mean) / Math.sqrt(squares / x.rows + EPS) * gain.data[c] + bias.data[c];
    });
    return { y: { ...x, data: y } };
  },
  forward: (device, inputs) => {
    const { x, gain, bias } = inputs as Record<string, Matrix>;
    return { y: batchNorm(device, x, testMoments(device, x), gain, bias, EPS) };
  },
  backward: (device, inputs, _outputs, gradients) => {
    const { x, gain } = inputs as Record<string, Matrix>;
    const [dGain, dBias] = [0, 1].map(() => device.createFlat("f32", groupsOf(x.cols) * 4));
    const flats = { gain: dGain, bias: dBias };
    const dy = gradients.y as Matrix;
    return {
      x: batchNormBackward(device, x, testMoments(device, x), gain, dy, EPS, flats),
      gain: dGain,
      bias: dBias,
    };
  },
};

function testMoments(device: Device, x: Matrix): Matrix {
  const [mean, variance] = [0, 1].map(() => device.createFlat("f32", groupsOf(x.cols) * 4));
  return batchMoments(device, x, { mean, variance, momentum: 0 }, false);
}
