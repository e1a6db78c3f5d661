import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import {
  trieCrossEntropyBackward,
  trieCrossEntropyChunk,
  trieCrossEntropyRows,
  trieLossWeights,
  type TrieTargets,
} from "../../kernels/trie/cross_entropy.ts";
import type { TrieEdges } from "../../kernels/trie/log_softmax.ts";
import type { WeightBlock, Weights } from "../parameters/parameters.ts";
import {
  chunkBackward,
  chunkLogits,
  DEFAULT_CHUNK,
  type LossOptions,
  type LossRows,
  type OutputChunk,
  vocabularyLoss,
} from "./vocabulary_loss.ts";

/** Share of the loss that knows the trie; the rest is over the whole vocabulary. */
export interface TrieLossOptions {
  /** Prefix tree of the SIDs, in token ids. */
  trie: TrieEdges;
  /** Tokens [start, end) among which all of its tokens are: logits of no others are computed for it. */
  tokens: { start: number; end: number };
  /** u32 (R): node of the trie before each target, 0xffffffff where the target is no token of a SID. */
  nodes: Flat;
  /** u32 (R): ids of the targets where those of the rows count from `firstToken`. Default: those of the rows. */
  targets?: Flat;
  /** Token id of the first row of the output matrix. Default: 0. */
  firstToken?: number;
  /** Share of the loss that is over the children of the node, from 0 to 1, at targets that are among them. */
  share: number;
  /** Says that every row with a weight is such a target: with a share of 1 the vocabulary is then left out. */
  sidsOnly?: boolean;
  /** Scratch of {@link createTrieLossScratch}. */
  scratch: TrieLossScratch;
}

/** What a trie-aware loss keeps from its forward to its backward pass (rows R). */
export interface TrieLossScratch {
  /** f32 (4 R). */
  stats: Flat;
  /** f32 (R): parts of the loss weights. */
  ofTrie: Flat;
  /** f32 (R). */
  ofVocabulary: Flat;
  /** f32 (R): parts of the weights that backward starts from. */
  gradientOfTrie: Flat;
  /** f32 (R). */
  gradientOfVocabulary: Flat;
}

/** Scratch for `rows` rows, until {@link destroyTrieLossScratch}. */
export function createTrieLossScratch(device: Device, rows: number): TrieLossScratch {
  const flat = (length: number) => device.createFlat("f32", length);
  return {
    stats: flat(4 * rows),
    ofTrie: flat(rows),
    ofVocabulary: flat(rows),
    gradientOfTrie: flat(rows),
    gradientOfVocabulary: flat(rows),
  };
}

/** Gives the memory of {@link createTrieLossScratch} back. */
export function destroyTrieLossScratch(device: Device, scratch: TrieLossScratch): void {
  for (const flat of Object.values(scratch)) device.destroy(flat);
}

/**
 * {@link vocabularyLoss} where `share` of the loss of SID tokens is cross-entropy over the tokens that the trie allows:
 * what decoding in the `children` normalisation chooses by. Label smoothing spreads over those tokens there. Row losses
 * land in `rows.rowLoss`, both parts added.
 */
export function trieAwareLoss(
  tape: Tape,
  weights: Weights,
  hidden: Matrix,
  weight: string,
  rows: LossRows,
  options: LossOptions & { trie: TrieLossOptions },
): void {
  const { device } = tape;
  const { labelSmoothing: smoothing, chunk = DEFAULT_CHUNK } = options;
  const { trie, nodes, tokens, share, sidsOnly, scratch, firstToken = 0 } = options.trie;
  if (!(share >= 0 && share <= 1)) throw new RangeError(`trie share is ${share}: expected 0 to 1`);
  const targets: TrieTargets = { trie, nodes, targets: options.trie.targets ?? rows.targets };
  const { stats, ofTrie, ofVocabulary, gradientOfTrie, gradientOfVocabulary } = scratch;
  trieLossWeights(device, rows.weights, targets, share, { ofTrie, ofVocabulary });
  const scaled = rows.gradientWeights;
  if (scaled) {
    const parts = { ofTrie: gradientOfTrie, ofVocabulary: gradientOfVocabulary };
    trieLossWeights(device, scaled, targets, share, parts);
  }
  if (sidsOnly && share === 1) {
    device.clear(rows.rowLoss);
  } else {
    const gradientWeights = scaled && gradientOfVocabulary;
    vocabularyLoss(
      tape,
      weights,
      hidden,
      weight,
      { ...rows, weights: ofVocabulary, gradientWeights },
      options,
    );
  }
  if (share === 0) return;

  const own = { start: tokens.start - firstToken, end: tokens.end - firstToken };
  const chunks = tokenChunks(weights.blocks(weight), own, chunk);
  const first = (part: OutputChunk) => firstToken + part.block.start + part.start;
  let kept: Matrix | undefined;
  for (const [i, part] of chunks.entries()) {
    const logits = chunkLogits(device, hidden, part);
    trieCrossEntropyChunk(device, logits, targets, stats, { start: first(part), first: i === 0 });
    if (chunks.length === 1) kept = logits;
    else device.release(logits);
  }
  trieCrossEntropyRows(device, stats, ofTrie, targets, rows.rowLoss, smoothing);

  tape.record(() => {
    const gradientWeights = scaled ? gradientOfTrie : ofTrie;
    for (const part of chunks) {
      const logits = kept ?? chunkLogits(device, hidden, part);
      const place = { start: first(part), smoothing };
      const dLogits = trieCrossEntropyBackward(device, logits, targets, gradientWeights, stats, place);
      device.release(logits);
      chunkBackward(tape, hidden, part, dLogits);
    }
  });
}

// Slices of gradients and columns of products begin at whole sixteens of a block.
const ALIGNMENT = 16;

/** The parts of an output matrix that hold tokens [start, end), in chunks. */
export function tokenChunks(
  blocks: readonly WeightBlock[],
  { start, end }: { start: number; end: number },
  chunk: number,
): OutputChunk[] {
  const chunks: OutputChunk[] = [];
  for (const block of blocks) {
    const last = Math.min(end - block.start, block.rows);
    const first = Math.max(start - block.start, 0);
    for (let at = first - first % ALIGNMENT; at < last; at += chunk) {
      chunks.push({ block, start: at, count: Math.min(chunk, last - at) });
    }
  }
  return chunks;
}
