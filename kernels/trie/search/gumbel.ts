import type { Device } from "../../gpu/device.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../../gpu/tensor.ts";
import type { TrieEdges } from "../log_softmax.ts";
import heapCode from "./heap.wgsl" with { type: "text" };
import philoxCode from "../../random/philox.wgsl" with { type: "text" };
import code from "./gumbel.wgsl" with { type: "text" };

const common = {
  label: "kernels/trie/search/gumbel.wgsl",
  code: philoxCode + heapCode + code,
  workgroup: [8] as const,
};
const perturbKernel: Kernel = {
  ...common,
  entry: "trie_perturb",
  inputs: 1,
  outputs: 1,
  flats: ["read_write", "read", "read"],
};
const topKKernel: Kernel = {
  ...common,
  entry: "trie_gumbel_topk",
  inputs: 2,
  outputs: 0,
  flats: ["read_write", "read", "read_write", "read_write", "read_write", "read_write"],
};
const scoresKernel: Kernel = {
  ...common,
  entry: "trie_gumbel_scores",
  inputs: 0,
  outputs: 0,
  flats: ["read_write", "read_write"],
};

/** Stochastic beams of U prompts, `width` each, on the device: after the last step, leaves in the order of sampling. */
export interface TrieGumbelBeams {
  /** U. */
  readonly prompts: number;
  /** Beams a prompt. */
  readonly width: number;
  /** u32 (U * width): trie node of each beam, 0xffffffff for none. */
  readonly nodes: Flat;
  /** f32 (U * width): log-probability of each beam, -1e30 for none. Filled by {@link trieGumbelScores}. */
  readonly scores: Flat;
  /** u32 (U * width): token that each beam was extended with, 0xffffffff for none and for leaves. */
  readonly tokens: Flat;
  /** u32 (U * width): the beam (0 .. width - 1) that each beam extends. */
  readonly parents: Flat;
  /** (2, U * width) of node u32, log-probability, the same at the temperature, and with noise. */
  readonly state: Flat;
  /** Scratch u32 (2 * U * width): candidates. */
  readonly lists: Flat;
}

/** Makes room for the beams of `prompts` prompts, until {@link destroyTrieGumbelBeams}. */
export function createTrieGumbelBeams(device: Device, prompts: number, width: number): TrieGumbelBeams {
  const rows = prompts * width;
  const u32 = (length: number) => device.createFlat("u32", length);
  return {
    prompts,
    width,
    nodes: u32(rows),
    scores: device.createFlat("f32", rows),
    tokens: u32(rows),
    parents: u32(rows),
    state: u32(8 * rows),
    lists: u32(2 * rows),
  };
}

/** Gives the memory of {@link createTrieGumbelBeams} back. */
export function destroyTrieGumbelBeams(device: Device, beams: TrieGumbelBeams): void {
  for (const flat of [beams.nodes, beams.scores, beams.tokens, beams.parents, beams.state, beams.lists]) {
    device.destroy(flat);
  }
}

/**
 * One step of stochastic beam search (Kool, van Hoof and Welling 2019, arXiv:1903.06059, algorithm 1): `width` leaves
 * drawn without replacement, each from softmax(logProbs / temperature) over the children of every node on its path.
 * Extends every beam that is no leaf by each child of its node and keeps the `width` largest perturbed
 * log-probabilities, largest first; equal ones: the better parent first, then the smaller token.
 *
 * logProbs of the children: (U, capacity) at depth 0, which starts at the root whatever the beams hold, and
 * (U * width, capacity) after it. seed is u32 [key low, key high, step, number of the first prompt]: the noise of
 * a child has the counter (edge of the trie / 4, one number, step, number of the prompt), so that a larger `width` adds
 * leaves to those of a smaller one.
 */
export function trieGumbelTopK(
  device: Device,
  logProbs: Matrix,
  trie: TrieEdges,
  beams: TrieGumbelBeams,
  depth: number,
  seed: Flat,
  temperature: number,
): void {
  const { prompts, width, state, lists, nodes, tokens, parents } = beams;
  const rows = depth === 0 ? prompts : prompts * width;
  expectShape("trieGumbelTopK() logProbs", logProbs, rows, logProbs.cols);
  expectLength("trieGumbelTopK() trie edges", trie.edges, "u32", 2 * trie.nodeCount);
  expectLength("trieGumbelTopK() seed", seed, "u32", 4);
  const params = { u32: [prompts, width, trie.nodeCount, logProbs.cols, depth], f32: [temperature] };
  const perturbed = device.matrix(rows, logProbs.cols, "f32");
  device.run(perturbKernel, {
    inputs: [logProbs],
    outputs: [perturbed],
    flats: [state, trie.edges, seed],
    ...params,
    invocations: [rows],
  });
  device.run(topKKernel, {
    inputs: [logProbs, perturbed],
    flats: [state, trie.edges, lists, nodes, tokens, parents],
    ...params,
    invocations: [prompts],
  });
}

/** Ends a search of `depth` steps: puts the log-probabilities of the beams into `beams.scores`. */
export function trieGumbelScores(device: Device, beams: TrieGumbelBeams, depth: number): void {
  const { prompts, width, state, scores } = beams;
  device.run(scoresKernel, {
    flats: [state, scores],
    u32: [prompts, width, 0, 0, depth],
    f32: [1],
    invocations: [prompts * width],
  });
}
