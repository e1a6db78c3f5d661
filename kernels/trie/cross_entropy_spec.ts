import type { Device } from "../gpu/device.ts";
import { flatOf, type KernelSpec, matrixOf, type Named, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix, Tensor } from "../gpu/tensor.ts";
import {
  trieCrossEntropyBackward,
  trieCrossEntropyChunk,
  trieCrossEntropyRows,
  trieLossWeights,
  type TrieTargets,
} from "./cross_entropy.ts";
import { edgesOf, type TrieChildren } from "./log_softmax_spec.ts";

interface Attributes {
  nodes: number[];
  targets: number[];
  /** Token of the first column. */
  start: number;
  smoothing: number;
  share: number;
  children: TrieChildren;
}

const NO_NODE = 0xffffffff;

// Root with 5, 8 and 12; the node behind 5 has one child, 8 none (a leaf), 12 five.
const TRIE: TrieChildren = [[5, 8, 12], [7], [], [6, 7, 8, 11, 12], [], [], [], [], [], []];
const WIDE: TrieChildren = [
  Array.from({ length: 90 }, (_, i) => 2 * i + 1),
  ...Array.from({ length: 90 }, () => []),
];

const CASES = [
  {
    name: "mixed",
    children: TRIE,
    // The last three: a leaf, no node, and a target that is no child of its node.
    nodes: [0, 3, 1, 3, 0, 2, NO_NODE, 0],
    targets: [12, 11, 7, 6, 5, 7, 9, 6],
    chunks: [4, 5],
    start: 4,
    smoothing: 0.1,
    share: 0.75,
  },
  {
    name: "one chunk",
    children: TRIE,
    nodes: [3, 0],
    targets: [12, 8],
    chunks: [13],
    start: 0,
    smoothing: 0,
    share: 1,
  },
  {
    name: "wide",
    children: WIDE,
    nodes: [0, 0, NO_NODE, 0],
    targets: [1, 179, 3, 89],
    chunks: [64, 64, 53],
    start: 0,
    smoothing: 0.2,
    share: 0.5,
  },
];

function cases(names: (shape: typeof CASES[number]) => Named<Values>) {
  return () =>
    CASES.map(({ name, chunks: _, ...attributes }, i) => ({ name, inputs: names(CASES[i]), attributes }));
}

/** Logits of the children of each row's node and of its target, or undefined where the target is no child. */
function childrenOf(logits: Values[], { nodes, targets, children, start }: Attributes, row: number) {
  const tokens = children[nodes[row]] ?? [];
  if (!tokens.includes(targets[row])) return undefined;
  const all = logits.flatMap(({ data, cols }) => Array.from(data.subarray(row * cols, (row + 1) * cols)));
  return { z: tokens.map((token) => all[token - start]), target: all[targets[row] - start] };
}

/** Weights are 1 here, so that the gradients of the losses can stand in for them. */
export const trieCrossEntropySpec: KernelSpec<Attributes> = {
  name: "trieCrossEntropy",
  cases: cases(({ nodes, chunks }) => {
    const next = noise(nodes.length);
    return Object.fromEntries(
      chunks.map((cols, i) => [`logits${i}`, matrixOf(nodes.length, cols, (row) => 3 * next() - 50 * row)]),
    );
  }),
  reference: (inputs, attributes) => {
    const { nodes, smoothing } = attributes;
    const losses = nodes.map((_, row) => {
      const found = childrenOf(Object.values(inputs), attributes, row);
      if (!found) return 2;
      const { z, target } = found;
      const largest = Math.max(...z);
      const lse = largest + Math.log(z.reduce((sum, value) => sum + Math.exp(value - largest), 0));
      const mean = z.reduce((sum, value) => sum + value, 0) / z.length;
      // 2 was there before.
      return 2 + (1 - smoothing) * (lse - target) + smoothing * (lse - mean);
    });
    return { rowLoss: { kind: "f32", rows: 1, cols: losses.length, data: Float64Array.from(losses) } };
  },
  forward: (device, inputs, attributes) => {
    const { rows, stats, ofTrie } = fold(device, inputs, attributes);
    const rowLoss = device.createFlat("f32", new Float32Array(attributes.nodes.length).fill(2));
    trieCrossEntropyRows(device, stats, ofTrie, rows, rowLoss, attributes.smoothing);
    return { rowLoss };
  },
  backward: (device, inputs, _outputs, { rowLoss }, attributes) => {
    const { rows, stats, split } = fold(device, inputs, attributes);
    const weights = split(rowLoss as Flat, 1).ofTrie;
    let { start } = attributes;
    const { smoothing } = attributes;
    return Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => {
        const logits = tensor as Matrix;
        const gradient = trieCrossEntropyBackward(device, logits, rows, weights, stats, { start, smoothing });
        start += logits.cols;
        return [name, gradient];
      }),
    );
  },
};

export const trieLossWeightsSpec: KernelSpec<Attributes> = {
  name: "trieLossWeights",
  cases: cases(({ nodes }) => ({ weights: flatOf("f32", Array.from({ length: nodes.length }, noise(3))) })),
  reference: ({ weights }, { nodes, targets, share, children }) => {
    const isChild = (row: number) => children[nodes[row]]?.includes(targets[row]);
    const parts = (of: (row: number) => number) => ({
      ...weights,
      data: weights.data.map((weight, row) => weight * of(row)),
    });
    return {
      ofTrie: parts((row) => isChild(row) ? share : 0),
      ofVocabulary: parts((row) => isChild(row) ? 1 - share : 1),
    };
  },
  forward: (device, { weights }, attributes) => {
    const { share } = attributes;
    return targetsOf(device, attributes).split(weights as Flat, share);
  },
};

function targetsOf(device: Device, { children, nodes, targets }: Attributes) {
  const edges = device.createFlat("u32", Uint32Array.from(edgesOf(children).data));
  const rows: TrieTargets = {
    trie: { edges, nodeCount: children.length },
    nodes: device.createFlat("u32", Uint32Array.from(nodes)),
    targets: device.createFlat("u32", Uint32Array.from(targets)),
  };
  const split = (weights: Flat, share: number) => {
    const [ofTrie, ofVocabulary] = [0, 1].map(() => device.createFlat("f32", nodes.length));
    trieLossWeights(device, weights, rows, share, { ofTrie, ofVocabulary });
    return { ofTrie, ofVocabulary };
  };
  return { rows, split };
}

function fold(device: Device, inputs: Named<Tensor>, attributes: Attributes) {
  const { rows, split } = targetsOf(device, attributes);
  const count = attributes.nodes.length;
  const { ofTrie } = split(device.createFlat("f32", new Float32Array(count).fill(1)), 1);
  const stats = device.createFlat("f32", count * 4);
  let { start } = attributes;
  for (const logits of Object.values(inputs) as Matrix[]) {
    trieCrossEntropyChunk(device, logits, rows, stats, { start, first: start === attributes.start });
    start += logits.cols;
  }
  return { rows, stats, split, ofTrie };
}
