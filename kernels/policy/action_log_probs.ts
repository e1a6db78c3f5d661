import type { VocabularyChunk } from "../loss/cross_entropy.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import type { TrieEdges } from "../trie/log_softmax.ts";
import code from "./action_log_probs.wgsl" with { type: "text" };
import childrenCode from "../trie/children.wgsl" with { type: "text" };

const common = {
  label: "kernels/policy/action_log_probs.wgsl",
  code: childrenCode + code,
  outputs: 0,
  workgroup: [32] as const,
};
const chunkKernel: Kernel = {
  ...common,
  entry: "action_log_probs_chunk",
  inputs: 1,
  flats: ["read", "read_write", "read", "read_write"],
};
const TEAM = 128;
const teamKernel: Kernel = { ...chunkKernel, entry: "action_log_probs_chunk_team", workgroup: [TEAM] };
const childrenKernel: Kernel = {
  ...chunkKernel,
  entry: "action_log_probs_chunk_children",
  flats: [...chunkKernel.flats, "read", "read"],
};
const rowsKernel: Kernel = {
  ...common,
  entry: "action_log_probs_rows",
  inputs: 0,
  flats: ["read", "read_write", "read_write", "read_write"],
};
const totalsKernel: Kernel = {
  ...common,
  entry: "action_log_probs_totals",
  inputs: 0,
  flats: ["read", "read_write", "read", "read"],
};
const backwardKernel: Kernel = {
  ...common,
  entry: "action_log_probs_backward",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read_write", "read", "read"],
  workgroup: [16, 8],
};
const childrenBackwardKernel: Kernel = {
  ...backwardKernel,
  entry: "action_log_probs_backward_children",
  flats: [...backwardKernel.flats, "read", "read"],
};

/** Tokens chosen from the rows of a matrix of logits: U rows, R actions sorted by row. */
export interface ActionRows {
  /** u32 (U + 1): actions offsets[u] to offsets[u + 1] belong to row u; there may be none. */
  readonly offsets: Flat;
  /** u32 (R): what was chosen. */
  readonly tokens: Flat;
  /**
   * Where present, the softmax is over the children of the row's node `nodes` u32 (U) alone, and tokens are some of
   * them. A row whose node has no children offers no choice: log-probabilities, entropy and gradient are 0.
   */
  readonly children?: { readonly trie: TrieEdges; readonly nodes: Flat };
}

/**
 * Folds the logits of one chunk of the vocabulary into the statistics of its rows: largest z = logit / temperature, sum
 * of exp(z - largest), sum of exp(z - largest) * (z - largest). logits (U, Vc) -> stats f32 (4 U), and z of chosen tokens
 * in logProbs f32 (R). `team` gives each row a workgroup instead of an invocation; default on GPUs.
 */
export function actionLogProbsChunk(
  device: Device,
  logits: Matrix,
  actions: ActionRows,
  { stats, logProbs }: { stats: Flat; logProbs: Flat },
  { start, first, temperature, team = !device.isCpu }: VocabularyChunk & {
    temperature: number;
    team?: boolean;
  },
): void {
  const { rows, cols } = logits;
  checkRows(actions, stats, rows);
  expectLength("actionLogProbsChunk() logProbs", logProbs, "f32", actions.tokens.length);
  const { offsets, tokens, children } = actions;
  const wide = team && !children;
  device.run(children ? childrenKernel : team ? teamKernel : chunkKernel, {
    inputs: [logits],
    flats: [offsets, stats, tokens, logProbs, ...trieOf(actions)],
    u32: [rows, cols, start, Number(first), children?.trie.nodeCount ?? 0],
    f32: [1 / temperature],
    invocations: [wide ? rows * TEAM : rows],
  });
}

/**
 * Once all chunks are folded in: stats f32 (4 U), logProbs of {@link actionLogProbsChunk} -> log-probabilities of the
 * chosen tokens in logProbs f32 (R), entropy f32 (U) of what they were chosen from, in nats, 0 for rows without actions.
 * A token in no chunk gets about -3.4e38.
 */
export function actionLogProbsRows(
  device: Device,
  actions: ActionRows,
  { stats, logProbs, entropy }: { stats: Flat; logProbs: Flat; entropy: Flat },
  rows: number,
): void {
  checkRows(actions, stats, rows);
  expectLength("actionLogProbsRows() logProbs", logProbs, "f32", actions.tokens.length);
  expectLength("actionLogProbsRows() entropy", entropy, "f32", rows);
  device.run(rowsKernel, { flats: [actions.offsets, stats, entropy, logProbs], ...rowsAlone(rows) });
}

/**
 * Readies stats f32 (4 U) for {@link actionLogProbsBackward}, which every chunk of the logits then uses: once, after
 * {@link actionLogProbsRows}. coefficients f32 (R) = dLoss/dLogProb, entropyCoefficients f32 (U) = dLoss/dEntropy.
 */
export function actionLogProbsTotals(
  device: Device,
  actions: ActionRows,
  stats: Flat,
  { coefficients, entropyCoefficients }: { coefficients: Flat; entropyCoefficients: Flat },
  rows: number,
): void {
  checkRows(actions, stats, rows);
  expectLength("actionLogProbsTotals() coefficients", coefficients, "f32", actions.tokens.length);
  expectLength("actionLogProbsTotals() entropyCoefficients", entropyCoefficients, "f32", rows);
  device.run(totalsKernel, {
    flats: [actions.offsets, stats, entropyCoefficients, coefficients],
    ...rowsAlone(rows),
  });
}

/**
 * Gradient of sum(coefficients * logProbs) + sum(entropyCoefficients * entropy) for one chunk: with p the softmax and H
 * its entropy, (sum over the row's actions of c * (1[chosen] - p) - e * p * (log p + H)) / temperature. Exactly 0 in
 * rows without actions, and in columns that are no children. logits (U, Vc) of the tokens from `start` on, stats f32
 * (4 U) of {@link actionLogProbsTotals} -> (U, Vc).
 */
export function actionLogProbsBackward(
  device: Device,
  logits: Matrix,
  actions: ActionRows,
  stats: Flat,
  coefficients: Flat,
  { start, temperature }: { start: number; temperature: number },
): Matrix {
  const { rows, cols } = logits;
  checkRows(actions, stats, rows);
  expectLength("actionLogProbsBackward() coefficients", coefficients, "f32", actions.tokens.length);
  const { offsets, tokens, children } = actions;
  const gradient = device.matrix(rows, cols);
  device.run(children ? childrenBackwardKernel : backwardKernel, {
    inputs: [logits],
    outputs: [gradient],
    flats: [offsets, stats, tokens, coefficients, ...trieOf(actions)],
    u32: [rows, cols, start, 0, children?.trie.nodeCount ?? 0],
    f32: [1 / temperature],
    invocations: [groupsOf(cols), rows],
  });
  return gradient;
}

function trieOf({ children }: ActionRows): Flat[] {
  return children ? [children.trie.edges, children.nodes] : [];
}

// The other fields of `Params` are for logits.
function rowsAlone(rows: number) {
  return { u32: [rows, 0, 0, 0, 0], f32: [1], invocations: [rows] as const };
}

function checkRows({ offsets, tokens, children }: ActionRows, stats: Flat, rows: number): void {
  expectLength("offsets of the actions", offsets, "u32", rows + 1);
  expectLength("tokens of the actions", tokens, "u32", 0);
  expectLength("statistics of the rows", stats, "f32", 4 * rows);
  if (!children) return;
  expectLength("trie edges", children.trie.edges, "u32", 2 * children.trie.nodeCount);
  expectLength("trie nodes of the rows", children.nodes, "u32", rows);
}
