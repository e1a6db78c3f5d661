import { crossEntropyBackward, crossEntropyChunk, crossEntropyRows } from "./cross_entropy.ts";
import type { Device } from "../gpu/device.ts";
import { type KernelSpec, matrixOf, type Named, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix, Tensor } from "../gpu/tensor.ts";

interface Attributes {
  targets: number[];
  smoothing: number;
}

const CASES = [
  { targets: [0], chunks: [1], smoothing: 0 },
  { targets: [3, 0, 6, 4], chunks: [7], smoothing: 0 },
  { targets: [3, 0, 12, 8, 7], chunks: [8, 5], smoothing: 0.1 },
  { targets: Array.from({ length: 70 }, (_, i) => i * 7 % 61), chunks: [24, 24, 13], smoothing: 0.25 },
  { targets: [900, 0, 520], chunks: [517, 403], smoothing: 0.1 },
];

/** Weights are 1 here, so that the gradients of the losses can stand in for them; other weights have their own test. */
export const spec: KernelSpec<Attributes> = {
  name: "crossEntropy",
  cases: () =>
    CASES.map(({ targets, chunks, smoothing }) => {
      const next = noise(targets.length);
      return {
        name: `R ${targets.length}, V ${chunks.join(" + ")}, smoothing ${smoothing}`,
        inputs: Object.fromEntries(
          // The last row is all alike: the loss is the log of the vocabulary.
          chunks.map((cols, i) => [
            `logits${i}`,
            matrixOf(targets.length, cols, (row) => row === 3 ? 40 : 4 * next()),
          ]),
        ),
        attributes: { targets, smoothing },
      };
    }),
  reference: (inputs, { targets, smoothing }) => {
    const losses = targets.map((target, row) => {
      const logits = chunksOf(inputs).flatMap(({ data, cols }) =>
        Array.from(data.subarray(row * cols, (row + 1) * cols))
      );
      const largest = logits.reduce((a, b) => Math.max(a, b));
      const lse = largest + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0));
      const mean = logits.reduce((sum, z) => sum + z, 0) / logits.length;
      return (1 - smoothing) * (lse - logits[target]) + smoothing * (lse - mean);
    });
    return { rowLoss: { kind: "f32", rows: 1, cols: losses.length, data: Float64Array.from(losses) } };
  },
  forward: (device, inputs, attributes) => {
    const { rows, stats } = fold(device, inputs, attributes);
    const weights = device.createFlat("f32", new Float32Array(rows).fill(1));
    const rowLoss = device.createFlat("f32", rows);
    const { smoothing } = attributes;
    crossEntropyRows(device, stats, weights, rowLoss, { rows, vocabulary: vocabularyOf(inputs), smoothing });
    return { rowLoss };
  },
  backward: (device, inputs, _outputs, { rowLoss }, attributes) => {
    const { targets, stats } = fold(device, inputs, attributes);
    const vocabulary = vocabularyOf(inputs);
    let start = 0;
    return Object.fromEntries(
      Object.entries(inputs).map(([name, logits]) => {
        const options = { start, vocabulary, smoothing: attributes.smoothing };
        start += (logits as Matrix).cols;
        return [
          name,
          crossEntropyBackward(device, logits as Matrix, targets, rowLoss as Flat, stats, options),
        ];
      }),
    );
  },
};

function chunksOf<T extends Values | Tensor>(inputs: Named<T>): T[] {
  return Object.keys(inputs).sort().map((name) => inputs[name]);
}

function vocabularyOf(inputs: Named<Tensor>): number {
  return chunksOf(inputs).reduce((sum, logits) => sum + (logits as Matrix).cols, 0);
}

function fold(device: Device, inputs: Named<Tensor>, attributes: Attributes) {
  const rows = attributes.targets.length;
  const targets = device.createFlat("u32", Uint32Array.from(attributes.targets));
  const stats = device.createFlat("f32", rows * 4);
  let start = 0;
  for (const logits of chunksOf(inputs) as Matrix[]) {
    crossEntropyChunk(device, logits, targets, stats, { start, first: start === 0 });
    start += logits.cols;
  }
  return { rows, targets, stats };
}
