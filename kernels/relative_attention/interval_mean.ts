import type { Device } from "../gpu/device.ts";
import { NO_ROW } from "../rows/gather_rows.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./interval_mean.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/relative_attention/interval_mean.wgsl",
  code,
  entry: "interval_mean",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read"],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = {
  ...forwardKernel,
  entry: "interval_mean_backward",
  flats: ["read", "read", "read"],
};

/** Intervals of rows as `relativeAttention()` has them. */
export interface MeanIntervals {
  /** Queries whose means are taken, u32 (R); 0xffffffff is none and gives 0. */
  queries: Flat;
  /** Place of each query among them, u32 (Q), or 0xffffffff. */
  places: Flat;
  /** Rows [start, end) that a query sees, and two numbers more, u32 (4 Q). Those of different queries may overlap. */
  intervals: Flat;
  /** Queries [first, end) that see each row, u32 (2 T). */
  viewers: Flat;
}

/** Mean of the rows that each query sees. x (T, C) -> y (R, C); 0 for a query that sees none. */
export function intervalMean(device: Device, x: Matrix, { queries, intervals }: MeanIntervals): Matrix {
  const groups = groupsOf(x.cols);
  const rows = queries.length;
  const y = device.matrix(rows, x.cols);
  device.run(forwardKernel, {
    inputs: [x],
    outputs: [y],
    flats: [queries, intervals],
    u32: [rows, groups],
    invocations: [groups, rows],
  });
  return y;
}

/** Gradient of x (T, C) in {@link intervalMean} from dy (R, C). */
export function intervalMeanBackward(
  device: Device,
  dy: Matrix,
  { places, intervals, viewers }: MeanIntervals,
  rows: number,
): Matrix {
  expectLength("intervalMeanBackward() viewers", viewers, "u32", 2 * rows);
  expectLength("intervalMeanBackward() intervals", intervals, "u32", 4 * places.length);
  const groups = groupsOf(dy.cols);
  const dx = device.matrix(rows, dy.cols);
  device.run(backwardKernel, {
    inputs: [dy],
    outputs: [dx],
    flats: [places, intervals, viewers],
    u32: [rows, groups],
    invocations: [groups, rows],
  });
  return dx;
}

interface Attributes {
  /** Rows [start, end) of each query. */
  spans: [number, number][];
  queries: number[];
}

export const spec: KernelSpec<Attributes> = {
  name: "intervalMean",
  cases: () =>
    [
      { rows: 1, cols: 1, spans: [[0, 1]], queries: [0] },
      // Two queries share a prefix, one in between has no mean, one sees nothing; the last row is seen by none.
      { rows: 9, cols: 6, spans: [[0, 2], [0, 5], [0, 5], [5, 8], [0, 0]], queries: [0, 2, 3, 4, NO_ROW] },
      { rows: 70, cols: 33, spans: [[0, 65], [65, 70]], queries: [1, NO_ROW, 0] },
    ].map(({ rows, cols, ...attributes }) => ({
      name: `(${rows}, ${cols}) of ${attributes.spans.length}`,
      inputs: { x: matrixOf(rows, cols, noise(rows)) },
      attributes: attributes as Attributes,
    })),
  reference: ({ x }, { spans, queries }) => {
    const { cols } = x;
    const data = new Float64Array(queries.length * cols);
    queries.forEach((query, r) => {
      const [start, end] = spans[query] ?? [0, 0];
      for (let row = start; row < end; row++) {
        for (let c = 0; c < cols; c++) data[r * cols + c] += x.data[row * cols + c] / (end - start);
      }
    });
    return { y: { kind: "matrix", rows: queries.length, cols, data } };
  },
  forward: (device, { x }, attributes) => ({
    y: intervalMean(device, x as Matrix, testIntervals(device, attributes, (x as Matrix).rows)),
  }),
  backward: (device, { x }, _outputs, { y }, attributes) => {
    const { rows } = x as Matrix;
    return { x: intervalMeanBackward(device, y as Matrix, testIntervals(device, attributes, rows), rows) };
  },
};

function testIntervals(device: Device, { spans, queries }: Attributes, rows: number): MeanIntervals {
  const flat = (values: number[]) => device.createFlat("u32", Uint32Array.from(values));
  const place = (query: number) => queries.includes(query) ? queries.indexOf(query) : NO_ROW;
  const viewersOf = (row: number) => {
    const seeing = spans.flatMap(([start, end], query) => row >= start && row < end ? [query] : []);
    return seeing.length > 0 ? [seeing[0], seeing.at(-1)! + 1] : [0, 0];
  };
  return {
    queries: flat(queries),
    places: flat(spans.map((_, query) => place(query))),
    intervals: flat(spans.flatMap(([start, end]) => [start, end, 0, 0])),
    viewers: flat(Array.from({ length: rows }, (_, row) => viewersOf(row)).flat()),
  };
}
