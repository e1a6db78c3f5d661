import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";
import type { TrieEdges } from "./log_softmax.ts";
import philoxCode from "../random/philox.wgsl" with { type: "text" };
import orderCode from "./order.wgsl" with { type: "text" };
import code from "./sample.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/trie/sample.wgsl",
  code: philoxCode + orderCode + code,
  entry: "trie_sample",
  inputs: 1,
  outputs: 0,
  flats: ["read_write", "read_write", "read_write", "read_write", "read", "read", "read"],
  workgroup: [8],
};

/** Draws for U prompts, `width` each, on the device. */
export interface TrieDraws {
  /** U. */
  readonly prompts: number;
  /** Draws a prompt. */
  readonly width: number;
  /** u32 (U * width): trie node of each draw, in the end a leaf; 0xffffffff where logits are not finite. */
  readonly nodes: Flat;
  /** f32 (U * width): log-probability of each draw. */
  readonly scores: Flat;
  /** u32 (U * width): token that each draw goes on with, 0xffffffff for those that ended. */
  readonly tokens: Flat;
  /** u32 (U * width): 0 .. width - 1, as a session wants them: every draw goes on from itself. */
  readonly parents: Flat;
}

/** From which children a token is drawn, and how unevenly. */
export interface SampleShape {
  /** Logits are divided by it, once; above 0. */
  temperature: number;
  /** Only this many of the most probable children; 0 for all. */
  topK: number;
  /** Of these, only the fewest most probable whose share is at least this much; 1 for all. */
  topP: number;
}

/** Which draws go a given way first. */
export interface Guides {
  /** The last draws of each prompt, so many, are guided. */
  readonly draws: number;
  /** Tokens of a guide, from 1. */
  readonly depth: number;
  /** u32 (U * depth): node after each token of a prompt's guide, each a child of the one before, 0xffffffff after its end. */
  readonly nodes: Flat;
}

/** Makes room for `width` draws for each of `prompts` prompts, until {@link destroyTrieDraws}. */
export function createTrieDraws(device: Device, prompts: number, width: number): TrieDraws {
  const flat = (dtype: Flat["dtype"]) => device.createFlat(dtype, prompts * width);
  return {
    prompts,
    width,
    nodes: flat("u32"),
    scores: flat("f32"),
    tokens: flat("u32"),
    parents: flat("u32"),
  };
}

/** Gives the memory of {@link createTrieDraws} back. */
export function destroyTrieDraws(device: Device, draws: TrieDraws): void {
  for (const flat of [draws.nodes, draws.scores, draws.tokens, draws.parents]) device.destroy(flat);
}

/**
 * Extends every draw by one token from softmax(logProbs / temperature) over the children of its node, after the
 * filters; draws at a leaf wait. At least one child is always kept; of equal ones, those with the smaller token.
 * Scores add the log-probabilities as they are given, whatever the temperature and the filters. Draws that `guides` lead
 * take the nodes there, whatever their probability.
 *
 * logProbs of the children: (U, capacity) at depth 0, which starts at the root whatever the draws hold, and
 * (U * width, capacity) after it. seed is u32 [key low, key high, step, number of the first prompt]: a draw's random
 * number has the counter (place among the prompt's draws, depth, step, number of the prompt).
 */
export function trieSample(
  device: Device,
  logProbs: Matrix,
  trie: TrieEdges,
  draws: TrieDraws,
  depth: number,
  seed: Flat,
  { temperature, topK, topP }: SampleShape,
  guides?: Guides,
): void {
  const { prompts, width, nodes, scores, tokens, parents } = draws;
  const rows = prompts * width;
  expectShape("trieSample() logProbs", logProbs, depth === 0 ? prompts : rows, logProbs.cols);
  expectLength("trieSample() trie edges", trie.edges, "u32", 2 * trie.nodeCount);
  expectLength("trieSample() seed", seed, "u32", 4);
  if (guides) expectLength("trieSample() guides", guides.nodes, "u32", prompts * guides.depth);
  device.run(kernel, {
    inputs: [logProbs],
    flats: [nodes, scores, tokens, parents, trie.edges, seed, guides?.nodes ?? seed],
    u32: [prompts, width, trie.nodeCount, depth, topK, guides?.draws ?? 0, guides?.depth ?? 0],
    f32: [temperature, topP],
    invocations: [rows],
  });
}
