import type { Device } from "../kernels/gpu/device.ts";
import type { Flat, Matrix } from "../kernels/gpu/tensor.ts";
import { repetitionPenalty } from "../kernels/penalty/repetition.ts";
import {
  type TokenNormalisation,
  trieChildLogProbs,
  type TrieEdges,
  type TrieRows,
} from "../kernels/trie/log_softmax.ts";
import type { DecodeModel } from "../models/decoder/decode.ts";
import type { Trie } from "../sid/trie.ts";
import type { DeviceTrie } from "./device_trie.ts";

/** Lists of tokens on the device, laid out as the children of nodes. */
interface TokenLists extends TrieEdges {
  /** Tokens of the longest one. */
  longest: number;
  /** Smallest token. */
  minToken: number;
  /** Largest token. */
  maxToken: number;
}

/** What a batch of prompts has read, on the device. */
export interface PromptTokens {
  lists: TokenLists;
  /** u32 (U) and u32 (U * width): the prompt of each row in the first step and after it. */
  ofRows: { first: Flat; later: Flat };
  /** Beams a prompt. */
  width: number;
}

/**
 * Makes tokens that a beam has read or written less probable: `repetition_penalty` of transformers' beam search, with
 * which MIMIGenRec evaluates. See {@link repetitionPenalty}.
 */
export class Repetition {
  readonly #device: Device;
  readonly #model: DecodeModel;
  readonly #trie: DeviceTrie;
  readonly #paths: TokenLists;

  /** Uploads the tokens on the way to each node of the trie. `penalty` is above 0. */
  constructor(device: Device, model: DecodeModel, trie: DeviceTrie, readonly penalty: number) {
    if (!(penalty > 0) || !Number.isFinite(penalty)) {
      throw new RangeError(
        `Cannot search with a repetition penalty of ${penalty}: expected a number above 0, 1 for none`,
      );
    }
    this.#device = device;
    this.#model = model;
    this.#trie = trie;
    this.#paths = listsOf(device, pathsOf(trie.host));
  }

  /** Uploads the tokens of prompts that have `width` beams each, until {@link release}. */
  read(prompts: readonly Uint32Array[], width: number): PromptTokens {
    const flat = (rows: number) =>
      this.#device.createFlat(
        "u32",
        Uint32Array.from({ length: prompts.length * rows }, (_, row) => Math.floor(row / rows)),
      );
    return {
      lists: listsOf(this.#device, prompts.map((prompt) => new Uint32Array(new Set(prompt)).sort())),
      ofRows: { first: flat(1), later: flat(width) },
      width,
    };
  }

  /** Gives the memory of {@link read} back. */
  release({ lists, ofRows: { first, later } }: PromptTokens): void {
    for (const flat of [lists.edges, first, later]) this.#device.destroy(flat);
  }

  /** Gives the memory back. */
  destroy(): void {
    this.#device.destroy(this.#paths.edges);
  }

  /**
   * Log-probabilities (R, capacity) of the children of each row's node over the vocabulary, whose log-sum-exp is
   * `vocabularySum` (R, 1) -> the same after the penalty, normalised anew. `first`: a row is a prompt.
   */
  apply(
    logProbs: Matrix,
    { hidden, rows, vocabularySum, first }: {
      hidden: Matrix;
      rows: TrieRows;
      vocabularySum: Matrix;
      first: boolean;
    },
    { lists, ofRows, width }: PromptTokens,
    normalisation: TokenNormalisation,
  ): Matrix {
    const logProbsOf = (lists: TokenLists, nodes: Flat) => {
      const { minToken, maxToken, longest } = lists;
      const head = this.#model.head.filter(({ start, matrix }) =>
        start <= maxToken && start + matrix.rows > minToken
      );
      const rows: TrieRows = { trie: lists, nodes, capacity: longest };
      return trieChildLogProbs(this.#device, hidden, head, rows, vocabularySum).logProbs;
    };
    const seen = {
      prompts: lists,
      promptLogProbs: logProbsOf(lists, first ? ofRows.first : ofRows.later),
      paths: this.#paths,
      pathLogProbs: logProbsOf(this.#paths, rows.nodes),
    };
    const options = { width: first ? 1 : width, penalty: this.penalty, normalisation };
    return repetitionPenalty(this.#device, logProbs, rows, seen, options);
  }
}

/** (nodes): the different tokens from the root to each node that has children; none for leaves. */
function pathsOf(trie: Trie): number[][] {
  const { childOffsets, childTokens, childNodes, nodeCount } = trie;
  const paths: number[][] = Array.from({ length: nodeCount }, () => []);
  for (let node = 0; node < nodeCount; node++) {
    for (let edge = childOffsets[node]; edge < childOffsets[node + 1]; edge++) {
      const child = childNodes[edge];
      if (trie.isLeaf(child)) continue;
      const token = childTokens[edge];
      paths[child] = paths[node].includes(token) ? paths[node] : [...paths[node], token];
    }
  }
  return paths;
}

function listsOf(device: Device, lists: readonly ArrayLike<number>[]): TokenLists {
  const count = lists.reduce((sum, { length }) => sum + length, 0);
  // As long as the edges of a tree with so many nodes, whose length kernels check.
  const edges = new Uint32Array(Math.max(lists.length + 1 + count, 2 * lists.length));
  let [at, longest, minToken, maxToken] = [0, 1, Infinity, 0];
  lists.forEach((list, node) => {
    for (let i = 0; i < list.length; i++) {
      minToken = Math.min(minToken, list[i]);
      maxToken = Math.max(maxToken, list[i]);
      edges[lists.length + 1 + at++] = list[i];
    }
    edges[node + 1] = at;
    longest = Math.max(longest, list.length);
  });
  // Without any token a block of the head is still bound.
  if (count === 0) minToken = 0;
  return { edges: device.createFlat("u32", edges), nodeCount: lists.length, longest, minToken, maxToken };
}
