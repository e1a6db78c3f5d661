import type { Device } from "../gpu/device.ts";
import { NO_ROW } from "../rows/gather.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { intervalMean, intervalMeanBackward, type MeanIntervals } from "./interval_mean.ts";

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
