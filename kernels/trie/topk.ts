import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";
import type { TrieEdges } from "./log_softmax.ts";
import heapCode from "./heap.wgsl" with { type: "text" };
import code from "./topk.wgsl" with { type: "text" };

const common = {
  label: "kernels/trie/topk.wgsl",
  code: heapCode + code,
  outputs: 0,
  workgroup: [8] as const,
};
const stepKernel: Kernel = {
  ...common,
  entry: "trie_topk",
  inputs: 1,
  flats: ["read_write", "read_write", "read_write", "read", "read_write", "read_write"],
};
const TEAM = 64;
const teamKernel: Kernel = { ...stepKernel, entry: "trie_topk_team", workgroup: [TEAM] };
const finishedKernel: Kernel = {
  ...common,
  entry: "trie_finished",
  inputs: 0,
  flats: ["read_write", "read_write", "read_write"],
};

/** Node, token or leaf of a beam that does not exist. */
export const DEAD = 0xffffffff;

/** Beams of U prompts, `width` each, on the device. */
export interface TrieBeams {
  /** U. */
  readonly prompts: number;
  /** Beams a prompt. */
  readonly width: number;
  /** u32 (U * width): trie node of each beam, {@link DEAD} for none. After {@link trieFinished}: leaves. */
  readonly nodes: Flat;
  /** f32 (U * width): log-probability of each beam, -1e30 for none. */
  readonly scores: Flat;
  /** u32 (U * width): token that each beam was extended with, {@link DEAD} for none. */
  readonly tokens: Flat;
  /** u32 (U * width): the beam (0 .. width - 1) that each beam extends. */
  readonly parents: Flat;
  /** Scratch u32 (8 * U * width): candidates, and the finished beams of all steps. */
  readonly lists: Flat;
}

/** Makes room for the beams of `prompts` prompts, until {@link destroyTrieBeams}. */
export function createTrieBeams(device: Device, prompts: number, width: number): TrieBeams {
  const flat = (dtype: Flat["dtype"], length: number) => device.createFlat(dtype, length);
  const rows = prompts * width;
  return {
    prompts,
    width,
    nodes: flat("u32", rows),
    scores: flat("f32", rows),
    tokens: flat("u32", rows),
    parents: flat("u32", rows),
    lists: flat("u32", 8 * rows),
  };
}

/** Gives the memory of {@link createTrieBeams} back. */
export function destroyTrieBeams(device: Device, beams: TrieBeams): void {
  for (const flat of [beams.nodes, beams.scores, beams.tokens, beams.parents, beams.lists]) {
    device.destroy(flat);
  }
}

/**
 * One step of beam search: extends every live beam by each child of its node, keeps the best `width` inner nodes a
 * prompt as the new beams, best first, and merges leaves into the finished list. Equal scores: the better parent
 * first, then the smaller token; among finished ones the smaller node.
 *
 * logProbs of the children: (U, capacity) in the first step, which starts at the root whatever the state holds, and
 * (U * width, capacity) after it. `team` gives each prompt a workgroup instead of an invocation; default on GPUs.
 */
export function trieTopK(
  device: Device,
  logProbs: Matrix,
  trie: TrieEdges,
  beams: TrieBeams,
  first: boolean,
  team = !device.isCpu,
): void {
  const { prompts, width, nodes, scores, lists, tokens, parents } = beams;
  const rows = prompts * width;
  expectShape("trieTopK() logProbs", logProbs, first ? prompts : rows, logProbs.cols);
  expectLength("trieTopK() trie edges", trie.edges, "u32", 2 * trie.nodeCount);
  expectLength("trieTopK() nodes", nodes, "u32", rows);
  expectLength("trieTopK() scores", scores, "f32", rows);
  expectLength("trieTopK() lists", lists, "u32", 8 * rows);
  device.run(team ? teamKernel : stepKernel, {
    inputs: [logProbs],
    flats: [nodes, scores, lists, trie.edges, tokens, parents],
    u32: [prompts, width, trie.nodeCount, logProbs.cols, Number(first)],
    invocations: [team ? prompts * TEAM : prompts],
  });
}

/** Ends a search: puts the finished leaves into `beams.nodes` and their scores into `beams.scores`, best first. */
export function trieFinished(device: Device, beams: TrieBeams): void {
  device.run(finishedKernel, {
    flats: [beams.nodes, beams.scores, beams.lists],
    u32: [beams.prompts, beams.width, 0, 0, 0],
    invocations: [beams.prompts],
  });
}
