import type { Device } from "../../gpu/device.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../../gpu/tensor.ts";
import { bucket } from "../../gpu/variants.ts";
import { noiseMatrix, type TunableOperation } from "../../gpu/workload.ts";
import type { RowVariant } from "../../reduce/rows/variant.ts";
import subgroups from "../../reduce/rows/subgroups.wgsl" with { type: "text" };
import type { TrieEdges } from "../log_softmax.ts";
import orderCode from "../order.wgsl" with { type: "text" };
import heapCode from "./heap.wgsl" with { type: "text" };
import stepCode from "./topk_step.wgsl" with { type: "text" };
import code from "./topk.wgsl" with { type: "text" };
import subgroupsCode from "./topk_subgroups.wgsl" with { type: "text" };

const invocationKernel: Kernel = {
  label: "kernels/trie/search/topk.wgsl",
  code: heapCode + stepCode + code,
  entry: "trie_topk",
  inputs: 1,
  outputs: 0,
  flats: ["read_write", "read_write", "read"],
  workgroup: [8],
};
const finishedKernel: Kernel = {
  ...invocationKernel,
  entry: "trie_finished",
  inputs: 0,
  flats: ["read_write", "read_write"],
};
const TEAM = 64;
const workgroupKernel: Kernel = { ...invocationKernel, entry: "trie_topk_team", workgroup: [TEAM] };
const SUBGROUPS_TEAM = 128;
const subgroupsKernel: Kernel = {
  ...invocationKernel,
  label: "kernels/trie/search/topk_subgroups.wgsl",
  code: orderCode + heapCode + stepCode + subgroups + subgroupsCode,
  entry: "trie_topk_subgroups",
  needs: "subgroups",
  workgroup: [SUBGROUPS_TEAM],
  constants: { TEAM: SUBGROUPS_TEAM },
};

/** A step of beam search. */
export interface TopKShape {
  /** Prompts that are searched for. */
  readonly prompts: number;
  /** Most beams a prompt. */
  readonly width: number;
  /** Beams a prompt that are extended. */
  readonly live: number;
  /** Most children of each. */
  readonly capacity: number;
}

/**
 * A step of beam search: an invocation a prompt, a workgroup of which one invocation keeps the heaps, or a workgroup that
 * counts candidates through subgroups.
 */
export const TOP_K: TunableOperation<RowVariant & { readonly kernel: Kernel }, TopKShape> = {
  name: "top-k",
  variants: [
    { name: "invocation", kernel: invocationKernel, team: 1 },
    { name: "workgroup", kernel: workgroupKernel, team: TEAM },
    { name: "subgroups", needs: ["subgroups"], kernel: subgroupsKernel, team: SUBGROUPS_TEAM },
  ],
  defaultOf: (isCpu) => TOP_K.variants[isCpu ? 0 : 1],
  classOf: ({ prompts, width, live, capacity }) =>
    (bucket(prompts) * 32 + bucket(width)) * 32 + bucket(live * capacity),
  className: ({ prompts, width, live, capacity }) =>
    `${2 ** bucket(prompts)}x${2 ** bucket(width)} of ${2 ** bucket(live * capacity)}`,
  usualShapes: [{ prompts: 16, width: 50, live: 50, capacity: 16 }],
  workload(device, { prompts, width, live, capacity }) {
    // A root with all beams, their children, and a leaf below each of these.
    const fanOuts = [live, ...Array(live).fill(capacity), ...Array(live * capacity).fill(1)];
    const starts = fanOuts.map(((sum) => (count) => (sum += count) - count)(0));
    const edgeCount = live + 2 * live * capacity;
    const nodeCount = edgeCount + 1;
    const trie = { edges: device.createFlat("u32", nodeCount + 1 + edgeCount), nodeCount };
    const leafStarts = Array(live * capacity + 1).fill(edgeCount);
    device.write(trie.edges, Uint32Array.from([...starts, ...leafStarts, ...Array(edgeCount).fill(0)]));
    const beams = createTrieBeams(device, prompts, Math.max(width, live), 2);
    const [from, to] = [live, width].map((running, step) => trieLevel(device, beams, step, running));
    const numbers = (length: number, value: (i: number) => number) =>
      Array.from({ length }, (_, i) => value(i));
    device.write(from.nodes, Uint32Array.from(numbers(prompts * live, (i) => 1 + i % live)));
    device.write(from.scores, Float32Array.from(numbers(prompts * beams.width, (i) => -(i % beams.width))));
    const logProbs = noiseMatrix(device, prompts * live, capacity);
    const call = () => {
      trieTopK(device, logProbs, trie, beams, { from, to });
      return to.scores;
    };
    return { call, flats: [trie.edges, beams.roots, beams.state, beams.lists] };
  },
};

/** Node, token or leaf of a beam that does not exist. */
export const DEAD = 0xffffffff;

/** Score of a beam that does not exist; `DEAD_SCORE` of topk.wgsl. */
export const DEAD_SCORE = -1e30;

/** Elements between the starts of arrays that share a buffer: 256 bytes, which suit every adapter. */
const ALIGNMENT = 64;

/** Beams of U prompts, at most `width` each, after each step of a search, on the device. */
export interface TrieBeams {
  /** U. */
  readonly prompts: number;
  /** Most beams a prompt. */
  readonly width: number;
  /** u32 (U): the root of each prompt. */
  readonly roots: Flat;
  /** u32 (U * width), after {@link trieFinished}: leaves, best first, {@link DEAD} for none. */
  readonly leaves: Flat;
  /** f32 (U * width), after {@link trieFinished}: log-probabilities of the leaves, {@link DEAD_SCORE} for none. */
  readonly scores: Flat;
  /** All that steps write, one array after the other. */
  readonly state: Flat;
  /** Scratch u32 (8 * U * width): candidates, and the finished beams of all steps. */
  readonly lists: Flat;
}

/** Beams after a step, `live` of each prompt. */
export interface TrieLevel {
  /** Beams a prompt that run on. */
  readonly live: number;
  /** u32 (U * live): trie node of each beam, {@link DEAD} for none. */
  readonly nodes: Flat;
  /** u32 (U * live): token that each beam was extended with, {@link DEAD} for none. */
  readonly tokens: Flat;
  /** u32 (U * live): the beam (0 .. live of the step before - 1) that each beam extends. */
  readonly parents: Flat;
  /** f32 (U * width): log-probabilities, best first, of beams that do not run on too; {@link DEAD_SCORE} for none. */
  readonly scores: Flat;
}

/** Makes room for the beams of `prompts` prompts in searches of `steps` steps, until {@link destroyTrieBeams}. */
export function createTrieBeams(device: Device, prompts: number, width: number, steps: number): TrieBeams {
  const rows = prompts * width;
  const state = device.createFlat("u32", (4 * steps + 2) * strideOf(rows));
  const last = 4 * steps * strideOf(rows);
  return {
    prompts,
    width,
    roots: device.createFlat("u32", prompts),
    leaves: device.slice(state, last, rows),
    scores: asScores(device.slice(state, last + strideOf(rows), rows)),
    state,
    lists: device.createFlat("u32", 8 * rows),
  };
}

/** Where the beams are after step `step` (from 0), if `live` of each prompt run on. */
export function trieLevel(device: Device, beams: TrieBeams, step: number, live: number): TrieLevel {
  const rows = beams.prompts * beams.width;
  const part = (i: number, length: number) =>
    device.slice(beams.state, (4 * step + i) * strideOf(rows), length);
  const running = beams.prompts * live;
  return {
    live,
    nodes: part(0, running),
    tokens: part(1, running),
    parents: part(2, running),
    scores: asScores(part(3, rows)),
  };
}

/** Gives the memory of {@link createTrieBeams} back. */
export function destroyTrieBeams(device: Device, beams: TrieBeams): void {
  for (const flat of [beams.roots, beams.state, beams.lists]) device.destroy(flat);
}

/**
 * One step of beam search: extends every live beam by each child of its node, keeps the best `width` inner nodes a
 * prompt, of which the best `to.live` become the new beams, best first, and merges leaves into the finished list. Equal
 * scores: the better parent first, then the smaller token; among finished ones the smaller node.
 *
 * logProbs of the children: (U, capacity) in the first step, which starts at the root and has no `from`, and
 * (U * from.live, capacity) after it.
 */
export function trieTopK(
  device: Device,
  logProbs: Matrix,
  trie: TrieEdges,
  beams: TrieBeams,
  { from, to }: { from?: TrieLevel; to: TrieLevel },
): void {
  const { prompts, width, state, lists } = beams;
  expectShape("trieTopK() logProbs", logProbs, prompts * (from?.live ?? 1), logProbs.cols);
  expectLength("trieTopK() trie edges", trie.edges, "u32", 2 * trie.nodeCount);
  expectLength("trieTopK() nodes", to.nodes, "u32", prompts * to.live);
  expectLength("trieTopK() scores", to.scores, "f32", prompts * width);
  expectLength("trieTopK() lists", lists, "u32", 8 * prompts * width);
  const shape = { prompts, width, live: from?.live ?? 1, capacity: logProbs.cols };
  const { kernel, team } = device.variants.of(TOP_K, shape);
  device.run(kernel, {
    inputs: [logProbs],
    flats: [state, lists, trie.edges],
    u32: [
      ...[prompts, width, trie.nodeCount, logProbs.cols, from?.live ?? 0, to.live],
      ...placesOf(from?.nodes, from?.scores),
      ...placesOf(to.nodes, to.scores, to.tokens, to.parents),
    ],
    invocations: [prompts * team],
  });
}

/** Ends a search: puts the finished leaves into `beams.leaves` and their scores into `beams.scores`, best first. */
export function trieFinished(device: Device, beams: TrieBeams): void {
  const { prompts, width, state, lists, leaves, scores } = beams;
  device.run(finishedKernel, {
    flats: [state, lists],
    u32: [prompts, width, 0, 0, 0, 0, 0, 0, ...placesOf(leaves, scores), 0, 0],
    invocations: [prompts],
  });
}

function strideOf(rows: number): number {
  return Math.ceil(rows / ALIGNMENT) * ALIGNMENT;
}

function asScores(flat: Flat): Flat {
  return { ...flat, dtype: "f32" };
}

/** Where slices of the state start, in elements. */
function placesOf(...slices: (Flat | undefined)[]): number[] {
  return slices.map((slice) => slice ? slice.offset / 4 : 0);
}
