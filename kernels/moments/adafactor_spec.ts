import { flatOf, type KernelSpec, noise } from "../gpu/spec.ts";
import type { Flat } from "../gpu/tensor.ts";
import { adafactorScratch, adafactorStep } from "./adafactor.ts";

interface Attributes {
  cols: number;
  /** Groups of four of a row of the array, and the one where the tensor begins. */
  stride: number;
  base: number;
  /** Rows of each piece. */
  pieces: number[];
  hyper: number[];
  clip: number[];
}

const SETTINGS = { eps: 1e-30, clipThreshold: 1, weightDecay: 0.3 };

const paddedRow = (cols: number) => Math.ceil(cols / 4) * 4;

export const spec: KernelSpec<Attributes> = {
  name: "adafactor",
  cases: () =>
    [
      { cols: 7, stride: 2, base: 0, pieces: [5], hyper: [0.1, 0.75, 0.25, 0], clip: [2, 0.5, 0, 0] },
      { cols: 9, stride: 5, base: 2, pieces: [130, 3], hyper: [0.01, 0.5, 0.5, 0], clip: [2, 1, 0, 0] },
      { cols: 70, stride: 18, base: 0, pieces: [1], hyper: [0.1, 0, 1, 0], clip: [2, 1, 0, 0] },
      { cols: 1, stride: 1, base: 0, pieces: [3], hyper: [0.1, 0.9, 0.1, 0], clip: [2, 1, 0, 0] },
      { cols: 4, stride: 1, base: 0, pieces: [2], hyper: [0.1, 0.9, 0.1, 0], clip: [NaN, 0, 1, 0] },
    ].map((attributes) => {
      const { cols, stride, base, pieces, clip } = attributes;
      const next = noise(cols + stride);
      const rows = pieces.reduce((a, b) => a + b, 0);
      const all = pieces.map((count) => (count * stride + base) * 4);
      const arrays = all.flatMap((length, i) => {
        // A row and a column without any gradient, as those of tokens that no text has.
        const gradient = Array.from({ length }, (_, at) => {
          const place = at / 4 - base;
          const row = Math.floor(place / stride), col = at - (base + row * stride) * 4;
          return rows > 2 && row === 1 || cols > 4 && col === 3 ? 0 : next() * 1e-3;
        });
        return [
          [`values${i}`, flatOf("f32", Array.from({ length }, next))],
          [`gradients${i}`, flatOf("f32", gradient)],
        ] as const;
      });
      const moments = (length: number) =>
        flatOf("f32", Array.from({ length }, () => Math.abs(next()) * 1e-6));
      return {
        name: `(${rows}, ${cols}) in ${pieces.length} pieces, clip ${clip}`,
        inputs: {
          ...Object.fromEntries(arrays),
          rowMoments: moments(rows),
          columnMoments: moments(paddedRow(cols)),
        },
        attributes,
      };
    }),
  reference: (inputs, { cols, stride, base, pieces, hyper: [rate, b, rest], clip }) => {
    const { eps, clipThreshold, weightDecay } = SETTINGS;
    const copies = Object.fromEntries(
      Object.entries(inputs).map(([name, values]) => [name, { ...values, data: values.data.slice() }]),
    );
    const { rowMoments: { data: row }, columnMoments: { data: column } } = copies;
    const outputs = Object.fromEntries(
      Object.entries(copies).filter(([name]) => !name.startsWith("gradients")),
    );
    if (clip[2] !== 0) return outputs;
    const places = pieces.flatMap((rows, i) =>
      Array.from({ length: rows }, (_, r) => ({ i, at: (base + r * stride) * 4 }))
    );
    const g = places.map(({ i, at }) =>
      Array.from({ length: cols }, (_, c) => copies[`gradients${i}`].data[at + c] * clip[1])
    );
    const mean = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
    g.forEach((own, r) => row[r] = b * row[r] + rest * mean(own.map((x) => x * x + eps)));
    for (let c = 0; c < cols; c++) {
      column[c] = b * column[c] + rest * mean(g.map((own) => own[c] ** 2 + eps));
    }
    const rowMean = mean([...row]);
    const update = g.map((own, r) => own.map((x, c) => x / Math.sqrt(row[r] / rowMean * column[c])));
    const rms = Math.sqrt(mean(update.flat().map((x) => x * x)));
    places.forEach(({ i, at }, r) => {
      const { data } = copies[`values${i}`];
      for (let c = 0; c < cols; c++) {
        data[at + c] -= rate * weightDecay * data[at + c] +
          rate * update[r][c] / Math.max(1, rms / clipThreshold);
      }
    });
    for (let c = cols; c < column.length; c++) column[c] = b * column[c] + rest * eps;
    return outputs;
  },
  forward: (device, inputs, { cols, stride, base, pieces, hyper, clip }) => {
    const own = pieces.map((rows, i) => ({
      rows,
      base,
      values: inputs[`values${i}`] as Flat,
      gradients: inputs[`gradients${i}`] as Flat,
    }));
    const { partials, sums } = adafactorScratch({ cols, pieces: own });
    const { rowMoments, columnMoments } = inputs as Record<string, Flat>;
    adafactorStep(
      device,
      { cols, stride, pieces: own, rowMoments, columnMoments },
      { partials: device.createFlat("f32", partials), sums: device.createFlat("f32", sums) },
      device.createFlat("f32", Float32Array.from(hyper)),
      device.createFlat("f32", Float32Array.from(clip)),
      SETTINGS,
    );
    return {
      rowMoments,
      columnMoments,
      ...Object.fromEntries(own.map(({ values }, i) => [`values${i}`, values])),
    };
  },
};
