import { logSumExp } from "../reduce/log_sum_exp.ts";
import { matmulBt } from "../matmul/matmul.ts";
import {
  flatOf,
  type KernelCase,
  type KernelSpec,
  matrixOf,
  type Named,
  noise,
  type Values,
} from "../gpu/spec.ts";
import type { Flat, Matrix, Tensor } from "../gpu/tensor.ts";
import {
  TOKEN_NORMALISATIONS,
  type TokenNormalisation,
  trieChildLogProbs,
  trieLogSoftmax,
  trieLogSoftmaxBackward,
  type TrieRows,
} from "./log_softmax.ts";

interface Attributes {
  normalisation: TokenNormalisation;
  capacity: number;
}

const NO_NODE = 0xffffffff;

/** Tokens of the children of each node, breadth first. */
export type TrieChildren = readonly (readonly number[])[];

/** The array of `TrieEdges`. */
export function edgesOf(children: TrieChildren): Values {
  const starts = [0];
  for (const tokens of children) starts.push(starts.at(-1)! + tokens.length);
  return flatOf("u32", [...starts, ...children.flat()]);
}

// Root with 5, 0 and 12; the node behind 0 has one child, 5 none (a leaf), 12 five.
const TRIE: TrieChildren = [[0, 5, 12], [7], [], [1, 2, 3, 11, 12], [], [], [], [], [], []];
const ONE: TrieChildren = [[0], []];
const WIDE: TrieChildren = [
  Array.from({ length: 130 }, (_, i) => 3 * i + 1),
  ...Array.from({ length: 130 }, () => []),
];

const SHAPES = [
  {
    name: "mixed",
    children: TRIE,
    vocabulary: 13,
    capacity: 5,
    nodes: [3, 0, 2, 1, NO_NODE, 0, 10],
    stride: 1,
  },
  { name: "more room than children", children: TRIE, vocabulary: 14, capacity: 8, nodes: [0, 2, 3, 2, 1] },
  { name: "one item", children: ONE, vocabulary: 1, capacity: 1, nodes: [0, 1] },
  { name: "wide", children: WIDE, vocabulary: 391, capacity: 130, nodes: [0, 0, 5, 0] },
];

type Shape = typeof SHAPES[number];

function casesOf(
  operands: (shape: Shape, rows: number) => Named<Values>,
  all: readonly TokenNormalisation[],
) {
  return (): KernelCase<Attributes>[] =>
    SHAPES.flatMap((shape) =>
      all.map((normalisation) => {
        const { name, children, nodes, capacity } = shape;
        return {
          name: `${name}, ${normalisation}`,
          inputs: { ...operands(shape, nodes.length), edges: edgesOf(children), nodes: flatOf("u32", nodes) },
          attributes: { normalisation, capacity },
        };
      })
    );
}

function reference(
  { edges, nodes }: Named<Values>,
  { normalisation, capacity }: Attributes,
  rows: number,
  vocabulary: number,
  logit: (row: number, token: number) => number,
): Named<Values> {
  const data = new Float64Array(rows * capacity);
  const nodeCount = edges.cols / 2;
  for (let row = 0; row < rows; row++) {
    const node = nodes.data[row];
    if (node >= nodeCount) continue;
    const [start, end] = [edges.data[node], edges.data[node + 1]];
    const children = Array.from(edges.data.subarray(nodeCount + 1 + start, nodeCount + 1 + end));
    const all = normalisation === "vocab" ? Array.from({ length: vocabulary }, (_, v) => v) : children;
    const top = Math.max(...all.map((token) => logit(row, token)));
    const total = all.reduce((sum, token) => sum + Math.exp(logit(row, token) - top), 0);
    children.forEach((token, j) => data[row * capacity + j] = logit(row, token) - top - Math.log(total));
  }
  return { logProbs: { kind: "matrix", rows, cols: capacity, data } };
}

function rowsOf({ edges, nodes }: Named<Tensor>, { capacity }: Attributes): TrieRows {
  const flat = edges as Flat;
  return { trie: { edges: flat, nodeCount: flat.length / 2 }, nodes: nodes as Flat, capacity };
}

export const trieLogSoftmaxSpec: KernelSpec<Attributes> = {
  name: "trieLogSoftmax",
  cases: casesOf(
    ({ vocabulary }, rows) => ({ logits: matrixOf(rows, vocabulary, scaled(vocabulary, 3)) }),
    TOKEN_NORMALISATIONS,
  ),
  reference: (inputs, attributes) => {
    const { data, rows, cols } = inputs.logits;
    return reference(inputs, attributes, rows, cols, (row, token) => data[row * cols + token]);
  },
  forward: (device, inputs, attributes) => ({
    ...trieLogSoftmax(
      device,
      inputs.logits as Matrix,
      rowsOf(inputs, attributes),
      attributes.normalisation,
    ),
  }),
  backward: (device, inputs, outputs, { logProbs }, attributes) => ({
    logits: trieLogSoftmaxBackward(
      device,
      inputs.logits as Matrix,
      outputs.logSum as Matrix,
      logProbs as Matrix,
      rowsOf(inputs, attributes),
      attributes.normalisation,
    ),
  }),
};

export const trieChildLogProbsSpec: KernelSpec<Attributes> = {
  name: "trieChildLogProbs",
  cases: casesOf(({ vocabulary }, rows) => {
    const cut = vocabulary % 3; // the head in two blocks, or in one
    return {
      hidden: matrixOf(rows, 7, scaled(rows, 1)),
      ...(cut > 0 ? { head0: matrixOf(cut, 7, scaled(cut, 1)) } : {}),
      head1: matrixOf(vocabulary - cut, 7, scaled(vocabulary, 1)),
    };
  }, TOKEN_NORMALISATIONS),
  reference: (inputs, attributes) => {
    const { hidden } = inputs;
    const head = blocksOf(inputs).flatMap(({ data }) => [...data]);
    return reference(inputs, attributes, hidden.rows, head.length / 7, (row, token) => {
      let sum = 0;
      for (let c = 0; c < 7; c++) sum += hidden.data[row * 7 + c] * head[token * 7 + c];
      return sum;
    });
  },
  forward: (device, inputs, attributes) => {
    const hidden = inputs.hidden as Matrix;
    let start = 0;
    let sum: Matrix | undefined;
    const head = (blocksOf(inputs) as Matrix[]).map((matrix) => {
      if (attributes.normalisation === "vocab") {
        sum = logSumExp(device, matmulBt(device, hidden, matrix), sum);
      }
      start += matrix.rows;
      return { start: start - matrix.rows, matrix };
    });
    return { ...trieChildLogProbs(device, hidden, head, rowsOf(inputs, attributes), sum) };
  },
};

function blocksOf<T>(inputs: Named<T>): T[] {
  return ["head0", "head1"].flatMap((name) => name in inputs ? [inputs[name]] : []);
}

function scaled(seed: number, factor: number): () => number {
  const next = noise(seed);
  return () => factor * next();
}
