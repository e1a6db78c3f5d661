import type { Device } from "../gpu/device.ts";
import { robustLossBackward, robustLossChunk, robustLossRows } from "./robust.ts";
import { type KernelSpec, matrixOf, type Named, noise } from "../gpu/spec.ts";
import type { Flat, Matrix, Tensor } from "../gpu/tensor.ts";

interface Attributes {
  targets: number[];
  /** Of each item. */
  scales: number[];
  coefficient: number;
}

const CASES = [
  { targets: [0], chunks: [1], coefficient: 1 },
  { targets: [3, 0, 6, 4], chunks: [7], coefficient: 0.1 },
  { targets: [3, 0, 2, 12, 8, 7], chunks: [8, 5], coefficient: 0.5 },
  { targets: Array.from({ length: 70 }, (_, i) => i * 7 % 61), chunks: [24, 24, 13], coefficient: 1 },
  { targets: [900, 0, 519], chunks: [517, 403], coefficient: 2 },
  { targets: [], chunks: [5], coefficient: 1 },
];

/** Weights are 1 here, so that the gradients of the losses can stand in for them; other weights have their own test. */
export const spec: KernelSpec<Attributes> = {
  name: "robustLoss",
  cases: () =>
    CASES.map(({ targets, chunks, coefficient }) => {
      const next = noise(targets.length);
      const vocabulary = chunks.reduce((a, b) => a + b);
      return {
        name: `R ${targets.length}, V ${chunks.join(" + ")}`,
        inputs: Object.fromEntries(
          // Row 2 has a score of -50: e to its square is beyond float64 even.
          chunks.map((cols, i) => [
            `scores${i}`,
            matrixOf(targets.length, cols, (row, col) => row === 2 && i + col === 0 ? -50 : 2 * next()),
          ]),
        ),
        attributes: {
          targets,
          scales: Array.from({ length: vocabulary }, (_, item) => Math.fround(0.5 + item * 0.37 % 1)),
          coefficient,
        },
      };
    }),
  reference: (inputs, { targets, scales, coefficient }) => {
    const losses = targets.map((target, row) => {
      const exponents = namesOf(inputs).flatMap((name) => {
        const { data, cols } = inputs[name];
        return Array.from(data.subarray(row * cols, (row + 1) * cols));
      }).map((score, item) => scales[item] * (item === target ? score - 1 : score) ** 2);
      const largest = exponents.reduce((a, b) => Math.max(a, b));
      return coefficient *
        (largest + Math.log(exponents.reduce((sum, exponent) => sum + Math.exp(exponent - largest), 0)));
    });
    return { rowLoss: { kind: "f32", rows: 1, cols: losses.length, data: Float64Array.from(losses) } };
  },
  forward: (device, inputs, attributes) => {
    const { rows, stats } = fold(device, inputs, attributes);
    const weights = device.createFlat("f32", new Float32Array(rows).fill(1));
    const rowLoss = device.createFlat("f32", rows);
    robustLossRows(device, stats, weights, rowLoss, { rows, coefficient: attributes.coefficient });
    return { rowLoss };
  },
  backward: (device, inputs, _outputs, { rowLoss }, attributes) => {
    const { coefficient } = attributes;
    const { stats, of, chunks } = fold(device, inputs, attributes);
    return Object.fromEntries(chunks.map(({ name, scores, start }) => [
      name,
      robustLossBackward(device, scores, of, rowLoss as Flat, stats, { start, coefficient }),
    ]));
  },
};

function namesOf(inputs: Named<unknown>): string[] {
  return Object.keys(inputs).sort();
}

function fold(device: Device, inputs: Named<Tensor>, { targets, scales }: Attributes) {
  const rows = targets.length;
  const stats = device.createFlat("f32", rows * 4);
  const of = {
    targets: device.createFlat("u32", Uint32Array.from(targets)),
    scales: device.createFlat("f32", Float32Array.from(scales)),
  };
  let start = 0;
  const chunks = namesOf(inputs).map((name) => {
    const chunk = { name, scores: inputs[name] as Matrix, start };
    start += chunk.scores.cols;
    return chunk;
  });
  for (const { scores, start } of chunks) {
    robustLossChunk(device, scores, of, stats, { start, first: start === 0 });
  }
  return { rows, stats, of, chunks };
}
