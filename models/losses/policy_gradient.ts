import {
  actionLogProbsBackward,
  actionLogProbsChunk,
  actionLogProbsRows,
  actionLogProbsTotals,
  type ActionRows,
} from "../../kernels/policy/action_log_probs.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { TokenNormalisation, TrieEdges } from "../../kernels/trie/log_softmax.ts";
import type { Weights } from "../parameters/parameters.ts";
import { tokenChunks } from "./trie_loss.ts";
import {
  chunkBackward,
  chunkLogits,
  DEFAULT_CHUNK,
  type OutputChunk,
  vocabularyChunks,
} from "./vocabulary_loss.ts";

/**
 * Tokens chosen from the rows of a hidden matrix (U rows, R actions). The completions of one prompt all choose their
 * first token from its last row, so a row may have several actions, or none.
 */
export interface Actions {
  /** u32 (U + 1): actions offsets[u] to offsets[u + 1] belong to row u. */
  offsets: Flat;
  /** u32 (R): what was chosen. */
  tokens: Flat;
  /** u32 (U): trie node before the choice, 0xffffffff for none; read in the `children` normalisation alone. */
  nodes: Flat;
}

/** What a policy gradient keeps from its forward to its backward pass. */
export interface PolicyScratch {
  /** f32 (4 U). */
  stats: Flat;
  /** f32 (R): log-probability of each action, written by the forward pass. */
  logProbs: Flat;
  /** f32 (U): entropy of what each row chose from, in nats, written by the forward pass. */
  entropy: Flat;
  /** f32 (R): dLoss/dLogProb, to be filled before the backward pass. */
  coefficients: Flat;
  /** f32 (U): dLoss/dEntropy, to be filled before the backward pass. */
  entropyCoefficients: Flat;
}

/** Settings of {@link actionLogProbs}. */
export interface PolicyOptions {
  /** Softmax over the whole vocabulary, or over the children of the row's node. */
  normalisation: TokenNormalisation;
  /** Prefix tree of the SIDs, in token ids. */
  trie: TrieEdges;
  /** Tokens [start, end) among which all of its tokens are: in `children`, logits of no others are computed. */
  tokens: { start: number; end: number };
  /** Divisor of the logits, default 1. */
  temperature?: number;
  /** Token id of the first row of the output matrix, where ids before it belong to other ones. Default 0. */
  firstToken?: number;
  /** Columns of logits that exist at a time, a multiple of 16; more than one chunk are computed again backward. */
  chunk?: number;
}

/** Scratch for `rows` rows with `actions` actions, all 0, until {@link destroyPolicyScratch}. */
export function createPolicyScratch(device: Device, rows: number, actions: number): PolicyScratch {
  const flat = (length: number) => device.createFlat("f32", length);
  return {
    stats: flat(4 * rows),
    logProbs: flat(actions),
    entropy: flat(rows),
    coefficients: flat(actions),
    entropyCoefficients: flat(rows),
  };
}

/** Gives the memory of {@link createPolicyScratch} back. */
export function destroyPolicyScratch(device: Device, scratch: PolicyScratch): void {
  for (const flat of Object.values(scratch)) device.destroy(flat);
}

/**
 * Log-probabilities of the actions taken from hidden (U, C) through the output matrix `weight` (V, C), into
 * `scratch.logProbs`, and entropies, into `scratch.entropy`: of softmax(logits / temperature), rows without actions 0.
 * Backward starts from `scratch.coefficients` and `scratch.entropyCoefficients`, which the caller fills in between, so
 * any loss of log-probabilities will do; rows without actions have gradients of exactly 0.
 * @throws {RangeError} for a temperature that is not above 0.
 */
export function actionLogProbs(
  tape: Tape,
  weights: Weights,
  hidden: Matrix,
  weight: string,
  actions: Actions,
  scratch: PolicyScratch,
  options: PolicyOptions,
): void {
  const { device } = tape;
  const { normalisation, trie, tokens, temperature = 1, firstToken = 0, chunk = DEFAULT_CHUNK } = options;
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(`temperature is ${temperature}: expected a number above 0`);
  }
  const ofChildren = normalisation === "children";
  const rows: ActionRows = { ...actions, children: ofChildren ? { trie, nodes: actions.nodes } : undefined };
  const blocks = weights.blocks(weight);
  const own = { start: tokens.start - firstToken, end: tokens.end - firstToken };
  const chunks = ofChildren ? tokenChunks(blocks, own, chunk) : vocabularyChunks(blocks, chunk);
  const startOf = ({ block, start }: OutputChunk) => firstToken + block.start + start;
  const { stats } = scratch;

  let kept: Matrix | undefined;
  for (const [i, part] of chunks.entries()) {
    const logits = chunkLogits(device, hidden, part);
    actionLogProbsChunk(device, logits, rows, scratch, { start: startOf(part), first: i === 0, temperature });
    if (chunks.length === 1 && tape.recording) kept = logits;
    else device.release(logits);
  }
  actionLogProbsRows(device, rows, scratch, hidden.rows);

  tape.record(() => {
    const { coefficients } = scratch;
    actionLogProbsTotals(device, rows, stats, scratch, hidden.rows);
    for (const part of chunks) {
      const logits = kept ?? chunkLogits(device, hidden, part);
      const place = { start: startOf(part), temperature };
      const dLogits = actionLogProbsBackward(device, logits, rows, stats, coefficients, place);
      device.release(logits);
      chunkBackward(tape, hidden, part, dLogits);
    }
  });
}
