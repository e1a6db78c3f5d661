import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { columnSum, productColumnSum } from "./column_sum.ts";

interface Attributes {
  segments: number;
  columns: { start: number; count: number };
  outStart: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "columnSum",
  cases: () =>
    [
      { rows: 1, cols: 1 },
      { rows: 0, cols: 6 },
      { rows: 31, cols: 7 },
      { rows: 33, cols: 5, outStart: 4 },
      { rows: 100, cols: 24, segments: 3 },
      { rows: 70, cols: 30, columns: { start: 8, count: 16 }, segments: 2, outStart: 8 },
      { rows: 64, cols: 70, columns: { start: 4, count: 66 } },
    ].map(({ rows, cols, segments = 1, columns = { start: 0, count: cols }, outStart = 0 }) => ({
      name: `(${rows}, ${cols}) columns ${columns.start} + ${columns.count} in ${segments}`,
      inputs: { x: matrixOf(rows, cols, noise(rows + cols)) },
      attributes: { segments, columns, outStart },
    })),
  reference: ({ x }, { segments, columns: { start, count }, outStart }) => {
    const width = count / segments;
    const sums = new Float64Array(groupsOf(width) * 4);
    for (let row = 0; row < x.rows; row++) {
      for (let c = 0; c < count; c++) sums[c % width] += x.data[row * x.cols + start + c];
    }
    const flat = (times: number) => {
      const data = new Float64Array(outStart + sums.length).fill(7);
      sums.forEach((sum, i) => data[outStart + i] = times * sum);
      return { kind: "f32" as const, rows: 1, cols: data.length, data };
    };
    return { once: flat(1), twice: flat(2) };
  },
  forward: (device, { x }, attributes) => {
    const { segments, columns, outStart } = attributes;
    const length = outStart + groupsOf(columns.count / segments) * 4;
    // Old contents must survive before outStart and must not show after it without accumulate.
    const [once, twice] = [0, 1].map(() => device.createFlat("f32", new Float32Array(length).fill(7)));
    columnSum(device, x as Matrix, once, false, attributes);
    columnSum(device, x as Matrix, twice, false, attributes);
    columnSum(device, x as Matrix, twice, true, attributes);
    return { once, twice };
  },
};

/** Sums over rows of products that a number a row scales, added to what is there. */
export const productColumnSumSpec: KernelSpec = {
  name: "productColumnSum",
  cases: () =>
    [[1, 1], [0, 6], [31, 7], [33, 5], [100, 24], [64, 70]].map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: {
        x: matrixOf(rows, cols, noise(rows + cols)),
        y: matrixOf(rows, cols, noise(rows + cols + 1)),
        scales: flatOf("f32", Array.from({ length: rows + 1 }, noise(rows))),
      },
      attributes: {},
    })),
  reference: ({ x, y, scales }) => {
    const data = new Float64Array(groupsOf(x.cols) * 4).fill(7);
    x.data.forEach((value, i) => data[i % x.cols] += value * y.data[i] * scales.data[Math.floor(i / x.cols)]);
    return { out: { kind: "f32" as const, rows: 1, cols: data.length, data } };
  },
  forward: (device, { x, y, scales }) => {
    const out = device.createFlat("f32", new Float32Array(groupsOf((x as Matrix).cols) * 4).fill(7));
    productColumnSum(device, x as Matrix, y as Matrix, scales as Flat, out);
    return { out };
  },
};
