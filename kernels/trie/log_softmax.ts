import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import type { RowBlock } from "../rows/gather.ts";
import { logSumExp } from "../reduce/log_sum_exp.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix, shapeOf } from "../gpu/tensor.ts";
import code from "./log_softmax.wgsl" with { type: "text" };

const common = {
  label: "kernels/trie/log_softmax.wgsl",
  code,
  flats: ["read", "read"] as const,
  workgroup: [8] as const,
};
const forwardKernel: Kernel = { ...common, entry: "trie_log_softmax", inputs: 2, outputs: 2 };
const backwardKernel: Kernel = { ...common, entry: "trie_log_softmax_backward", inputs: 3, outputs: 1 };
const childLogitsKernel: Kernel = { ...common, entry: "trie_child_logits", inputs: 3, outputs: 1 };

/**
 * What the probabilities of a node's children add up to. `vocab`: softmax over the whole vocabulary, so less than 1;
 * what MiniOneRec and its kin do. `children`: softmax over the children alone, so 1.
 */
export const TOKEN_NORMALISATIONS = ["vocab", "children"] as const;
/** One of {@link TOKEN_NORMALISATIONS}. */
export type TokenNormalisation = typeof TOKEN_NORMALISATIONS[number];

/** Prefix tree in compressed rows, on the device. */
export interface TrieEdges {
  /**
   * u32 (nodes + 1 + edges): where the edges of each node start, then the token of every edge, ascending inside a
   * node. Edge e leads to node e + 1, as in breadth-first order.
   */
  readonly edges: Flat;
  /** Nodes, the root included. */
  readonly nodeCount: number;
}

/** The trie node at which every row stands. */
export interface TrieRows {
  /** The trie. */
  readonly trie: TrieEdges;
  /** u32 (R). Numbers that are no node, such as 0xffffffff, have no children. */
  readonly nodes: Flat;
  /** Columns of the result: at least as many as any of the nodes has children. */
  readonly capacity: number;
}

/** Log-probabilities of children, and what was taken from their logits. */
export interface ChildLogProbs {
  /** (R, capacity): column j is the j-th child of the row's node; 0 after the last child. */
  logProbs: Matrix;
  /** (R, 1): 0 for rows without children in the `children` normalisation. */
  logSum: Matrix;
}

/** Log-softmax masked by a trie. logits (R, V) -> log-probabilities (R, capacity) of the children of each row's node. */
export function trieLogSoftmax(
  device: Device,
  logits: Matrix,
  rows: TrieRows,
  normalisation: TokenNormalisation,
): ChildLogProbs {
  const vocabularySum = normalisation === "vocab" ? logSumExp(device, logits) : undefined;
  return normalise(device, logits, rows, vocabularySum, false);
}

/** logits (R, V), logSum (R, 1) of {@link trieLogSoftmax}, dLogProbs (R, capacity) -> dLogits (R, V). */
export function trieLogSoftmaxBackward(
  device: Device,
  logits: Matrix,
  logSum: Matrix,
  dLogProbs: Matrix,
  rows: TrieRows,
  normalisation: TokenNormalisation,
): Matrix {
  expectShape("trieLogSoftmaxBackward() logSum", logSum, logits.rows, 1);
  expectShape("trieLogSoftmaxBackward() dLogProbs", dLogProbs, logits.rows, rows.capacity);
  const dLogits = device.matrix(logits.rows, logits.cols);
  device.run(backwardKernel, {
    inputs: [logits, logSum, dLogProbs],
    outputs: [dLogits],
    ...operands(logits, rows, normalisation === "vocab", false),
    invocations: [logits.rows],
  });
  return dLogits;
}

/**
 * {@link trieLogSoftmax} straight from hidden states: it reads only the rows of the output matrix that it needs.
 * hidden (R, C), head (V, C) in blocks -> log-probabilities (R, capacity), in the `vocab` normalisation given the
 * log-sum-exp of the logits over the whole vocabulary (R, 1), else in `children`. For decoding: it has no backward.
 */
export function trieChildLogProbs(
  device: Device,
  hidden: Matrix,
  head: readonly RowBlock[],
  rows: TrieRows,
  vocabularySum?: Matrix,
): ChildLogProbs {
  let logits: Matrix | undefined;
  for (const { start, matrix } of head) {
    if (hidden.cols !== matrix.cols) {
      throw new RangeError(
        `trieChildLogProbs() of hidden ${shapeOf(hidden)} and head ${
          shapeOf(matrix)
        }: expected equal columns`,
      );
    }
    const next = device.matrix(hidden.rows, rows.capacity, "f32");
    device.run(childLogitsKernel, {
      inputs: [hidden, matrix, logits ?? hidden], // the first block has no logits from before to read
      outputs: [next],
      ...operands(hidden, rows, false, true, [start, matrix.rows, Number(!!logits)]),
      invocations: [hidden.rows * groupsOf(rows.capacity)],
    });
    if (logits) device.release(logits);
    logits = next;
  }
  if (!logits) throw new RangeError("trieChildLogProbs() without a head: expected at least one block");
  return normalise(device, logits, rows, vocabularySum, true);
}

function normalise(
  device: Device,
  logits: Matrix,
  rows: TrieRows,
  vocabularySum: Matrix | undefined,
  compact: boolean,
): ChildLogProbs {
  const logProbs = device.matrix(logits.rows, rows.capacity, "f32");
  const logSum = device.matrix(logits.rows, 1, "f32");
  device.run(forwardKernel, {
    inputs: [logits, vocabularySum ?? logits], // without a sum the second operand is bound but not read
    outputs: [logProbs, logSum],
    ...operands(logits, rows, !!vocabularySum, compact),
    invocations: [logits.rows],
  });
  return { logProbs, logSum };
}

function operands(
  { rows: count, cols }: Matrix,
  { trie, nodes, capacity }: TrieRows,
  overVocabulary: boolean,
  compact: boolean,
  block: readonly [first: number, rows: number, hasBefore: number] = [0, 0, 0],
) {
  expectLength("trie edges", trie.edges, "u32", 2 * trie.nodeCount);
  expectLength("trie nodes of the rows", nodes, "u32", count);
  return {
    flats: [trie.edges, nodes],
    u32: [count, trie.nodeCount, capacity, cols, Number(overVocabulary), Number(compact), ...block],
  };
}
