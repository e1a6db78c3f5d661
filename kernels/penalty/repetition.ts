import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Matrix } from "../gpu/tensor.ts";
import type { TokenNormalisation, TrieEdges, TrieRows } from "../trie/log_softmax.ts";
import code from "./repetition.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/penalty/repetition.wgsl",
  code,
  entry: "repetition_penalty",
  inputs: 3,
  outputs: 1,
  flats: ["read", "read", "read", "read"],
  workgroup: [8],
};

/** What each row has read and written, with its log-probabilities over the vocabulary. */
export interface SeenTokens {
  /** Tokens of each of the U prompts, each once, ascending: its "children". */
  readonly prompts: TrieEdges;
  /** Log-probabilities (R, P) of the tokens of each row's prompt. */
  readonly promptLogProbs: Matrix;
  /** Tokens from the root to each node of the trie, each once: its "children". */
  readonly paths: TrieEdges;
  /** Log-probabilities (R, D) of the tokens on the way to each row's node. */
  readonly pathLogProbs: Matrix;
}

/** How much, and over what is normalised after it. */
export interface RepetitionOptions {
  /** Rows of a prompt: row r is of prompt floor(r / width). */
  width: number;
  /** Factor of the log-probabilities of seen tokens, above 0; above 1 they get less probable. */
  penalty: number;
  /** What the result is normalised over. */
  normalisation: TokenNormalisation;
}

/**
 * Repetition penalty as `RepetitionPenaltyLogitsProcessor` of transformers has it in beam search: the log-probability of
 * each token that a row has read or written is multiplied by `penalty`, whatever the number of times; then all are
 * normalised anew. logProbs (R, capacity) of the children of each row's node, over the vocabulary -> (R, capacity), 0
 * after the last child. For decoding: it has no backward.
 */
export function repetitionPenalty(
  device: Device,
  logProbs: Matrix,
  { trie, nodes, capacity }: TrieRows,
  { prompts, promptLogProbs, paths, pathLogProbs }: SeenTokens,
  { width, penalty, normalisation }: RepetitionOptions,
): Matrix {
  const { rows } = logProbs;
  expectShape("repetitionPenalty() logProbs", logProbs, rows, capacity);
  expectShape("repetitionPenalty() promptLogProbs", promptLogProbs, rows, promptLogProbs.cols);
  expectShape("repetitionPenalty() pathLogProbs", pathLogProbs, rows, pathLogProbs.cols);
  expectLength("repetitionPenalty() nodes", nodes, "u32", rows);
  const out = device.matrix(rows, capacity, "f32");
  device.run(kernel, {
    inputs: [logProbs, promptLogProbs, pathLogProbs],
    outputs: [out],
    flats: [trie.edges, nodes, prompts.edges, paths.edges],
    u32: [rows, width, trie.nodeCount, prompts.nodeCount, capacity, Number(normalisation === "vocab")],
    f32: [penalty],
    invocations: [rows],
  });
  return out;
}
