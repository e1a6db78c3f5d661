import { scale } from "../elementwise/add.ts";
import type { Device } from "../gpu/device.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { NO_ROW } from "../rows/gather.ts";
import { listwiseSoftmax, listwiseSoftmaxBackward, type RowLists } from "./listwise_softmax.ts";

interface Attributes {
  /** Number of rows of each list. */
  lengths: number[];
  /** Row of each list's target. */
  targets: number[];
  weight: number;
}

const CASES: (Attributes & { name: string; rows: number; scale: number })[] = [
  { name: "one row", rows: 1, lengths: [1], targets: [0], weight: 1, scale: 1 },
  {
    name: "uneven lists",
    rows: 20,
    lengths: [3, 1, 0, 9, 7],
    targets: [2, 3, NO_ROW, 4, 19],
    weight: 0.2,
    scale: 2,
  },
  {
    name: "targets outside, rows of no list",
    rows: 13,
    lengths: [4, 4],
    targets: [4, NO_ROW],
    weight: 1,
    scale: 1,
  },
  // Scores in the hundreds, where a careless exponential overflows.
  { name: "outliers", rows: 9, lengths: [5, 4], targets: [1, 8], weight: 0.5, scale: 60 },
  { name: "no list", rows: 3, lengths: [], targets: [], weight: 1, scale: 1 },
  {
    name: "70 lists",
    rows: 70 * 11,
    lengths: Array.from({ length: 70 }, (_, i) => 11 - i % 3),
    targets: Array.from({ length: 70 }, (_, i) => startOf(i) + i % 9),
    weight: 1 / 70,
    scale: 3,
  },
];

/** First row of list `i` of the last case. */
function startOf(i: number): number {
  let start = 0;
  for (let list = 0; list < i; list++) start += 11 - list % 3;
  return start;
}

export const spec: KernelSpec<Attributes> = {
  name: "listwiseSoftmax",
  cases: () =>
    CASES.map(({ name, rows, scale, ...attributes }, i) => {
      const next = noise(i);
      return { name, inputs: { scores: matrixOf(rows, 1, () => scale * next()) }, attributes };
    }),
  reference: ({ scores }, { lengths, targets, weight }) => {
    let start = 0;
    const losses = lengths.map((length, list) => {
      const own = Array.from(scores.data.subarray(start, start + length));
      const score = own[targets[list] - start];
      start += length;
      if (score === undefined) return 0;
      const largest = Math.max(...own);
      const sum = own.reduce((total, value) => total + Math.exp(value - largest), 0);
      return weight * (largest + Math.log(sum) - score);
    });
    return { listLoss: { kind: "f32", rows: 1, cols: losses.length, data: Float64Array.from(losses) } };
  },
  forward: (device, { scores }, attributes) => {
    const listLoss = device.createFlat("f32", attributes.lengths.length);
    listwiseSoftmax(device, scores as Matrix, listsOf(device, attributes), listLoss);
    return { listLoss };
  },
  backward: (device, { scores }, _outputs, { listLoss }, attributes) => {
    // The gradients of the losses stand in for weights of 1.
    const lists = { ...listsOf(device, attributes), weights: listLoss as Flat };
    return {
      scores: scale(device, listwiseSoftmaxBackward(device, scores as Matrix, lists), attributes.weight),
    };
  },
};

function listsOf(device: Device, { lengths, targets, weight }: Attributes): RowLists {
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, list) => offsets[list + 1] = offsets[list] + length);
  return {
    offsets: device.createFlat("u32", offsets),
    targets: device.createFlat("u32", Uint32Array.from(targets)),
    weights: device.createFlat("f32", new Float32Array(lengths.length).fill(weight)),
  };
}
