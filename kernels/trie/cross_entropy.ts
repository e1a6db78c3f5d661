import type { VocabularyChunk } from "../loss/cross_entropy.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import type { TrieEdges } from "./log_softmax.ts";
import childrenCode from "./children.wgsl" with { type: "text" };
import code from "./cross_entropy.wgsl" with { type: "text" };

const common = {
  label: "kernels/trie/cross_entropy.wgsl",
  code: childrenCode + code,
  outputs: 0,
  workgroup: [32] as const,
};
const weightsKernel: Kernel = {
  ...common,
  entry: "trie_loss_weights",
  inputs: 0,
  flats: ["read", "read", "read", "read", "read_write", "read_write"],
};
const chunkKernel: Kernel = {
  ...common,
  entry: "trie_cross_entropy_chunk",
  inputs: 1,
  flats: ["read", "read", "read", "read_write"],
};
const rowsKernel: Kernel = {
  ...common,
  entry: "trie_cross_entropy_rows",
  inputs: 0,
  flats: ["read", "read", "read", "read", "read_write"],
};
const backwardKernel: Kernel = {
  ...common,
  entry: "trie_cross_entropy_backward",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read", "read", "read", "read"],
  workgroup: [16, 8],
};

/** Tokens to predict, and the trie nodes whose children they should be (rows R). */
export interface TrieTargets {
  /** The trie. */
  readonly trie: TrieEdges;
  /** u32 (R): the node before each target. Numbers that are no node, such as 0xffffffff, have no children. */
  readonly nodes: Flat;
  /** Token ids to predict (R), u32. */
  readonly targets: Flat;
}

/**
 * Splits loss weights f32 (R) where the target is a child of its row's node: `share` of them to `ofTrie` (R), the rest
 * to `ofVocabulary` (R), which gets all of the others.
 */
export function trieLossWeights(
  device: Device,
  weights: Flat,
  rows: TrieTargets,
  share: number,
  { ofTrie, ofVocabulary }: { ofTrie: Flat; ofVocabulary: Flat },
): void {
  const { length } = weights;
  checkRows(rows, length);
  expectLength("trieLossWeights() ofTrie", ofTrie, "f32", length);
  expectLength("trieLossWeights() ofVocabulary", ofVocabulary, "f32", length);
  const { trie, nodes, targets } = rows;
  device.run(weightsKernel, {
    flats: [trie.edges, nodes, targets, weights, ofVocabulary, ofTrie],
    u32: [length, trie.nodeCount],
    f32: [share],
    invocations: [length],
  });
}

/**
 * Folds the logits of one chunk of the vocabulary into the statistics of its rows, as `crossEntropyChunk()` does, but
 * those of the node's children alone. logits (R, Vc) -> stats f32 (4 R).
 */
export function trieCrossEntropyChunk(
  device: Device,
  logits: Matrix,
  rows: TrieTargets,
  stats: Flat,
  { start, first }: VocabularyChunk,
): void {
  checkRows(rows, logits.rows);
  expectLength("trieCrossEntropyChunk() stats", stats, "f32", logits.rows * 4);
  const { trie, nodes, targets } = rows;
  device.run(chunkKernel, {
    inputs: [logits],
    flats: [trie.edges, nodes, targets, stats],
    u32: [logits.rows, trie.nodeCount, logits.cols, start, Number(first)],
    invocations: [logits.rows],
  });
}

/**
 * Adds the loss of each row to `rowLoss` f32 (R) once all chunks are folded in: weight * ((1 - s) * (lse - z_target) +
 * s * (lse - mean z)), both over the children; nothing where the weight is 0. stats f32 (4 R), weights f32 (R).
 */
export function trieCrossEntropyRows(
  device: Device,
  stats: Flat,
  weights: Flat,
  rows: TrieTargets,
  rowLoss: Flat,
  smoothing: number,
): void {
  const { length } = weights;
  checkRows(rows, length);
  expectLength("trieCrossEntropyRows() stats", stats, "f32", length * 4);
  expectLength("trieCrossEntropyRows() rowLoss", rowLoss, "f32", length);
  device.run(rowsKernel, {
    flats: [rows.trie.edges, rows.nodes, stats, weights, rowLoss],
    u32: [length, rows.trie.nodeCount],
    f32: [smoothing],
    invocations: [length],
  });
}

/**
 * Gradient of the summed row losses for one chunk, 0 in columns that are no children. logits (R, Vc) of the tokens from
 * `start` on, weights f32 (R), stats f32 (4 R) of all chunks -> (R, Vc).
 */
export function trieCrossEntropyBackward(
  device: Device,
  logits: Matrix,
  rows: TrieTargets,
  weights: Flat,
  stats: Flat,
  { start, smoothing }: { start: number; smoothing: number },
): Matrix {
  checkRows(rows, logits.rows);
  expectLength("trieCrossEntropyBackward() weights", weights, "f32", logits.rows);
  expectLength("trieCrossEntropyBackward() stats", stats, "f32", logits.rows * 4);
  const { trie, nodes, targets } = rows;
  const gradient = device.matrix(logits.rows, logits.cols);
  device.run(backwardKernel, {
    inputs: [logits],
    outputs: [gradient],
    flats: [trie.edges, nodes, targets, stats, weights],
    u32: [logits.rows, trie.nodeCount, logits.cols, start],
    f32: [smoothing],
    invocations: [groupsOf(logits.cols), logits.rows],
  });
  return gradient;
}

function checkRows({ trie, nodes, targets }: TrieTargets, rows: number): void {
  expectLength("trie edges", trie.edges, "u32", 2 * trie.nodeCount);
  expectLength("trie nodes of the rows", nodes, "u32", rows);
  expectLength("targets of the rows", targets, "u32", rows);
}
