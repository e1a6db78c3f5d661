// What searching and sampling on a trie share.
import { UserError } from "../base/user_error.ts";
import type { Device } from "../kernels/gpu/device.ts";
import type { Matrix } from "../kernels/gpu/tensor.ts";
import { trieChildLogProbs, type TrieRows } from "../kernels/trie/log_softmax.ts";
import { type DecodeModel, promptRows } from "../models/decoder/decode.ts";
import type { DeviceTrie } from "./device_trie.ts";

// Beams of one batch: enough to fill the adapter, few enough to bound the memory of a batch.
const BATCH_BEAMS = 3200;
// Tokens of all its prompts: their keys and values are held together.
const BATCH_TOKENS = 8192;

/** Throws `UserError` if the trie holds tokens that the model does not have. */
export function expectTokens(model: DecodeModel, trie: DeviceTrie): void {
  if (trie.maxToken >= model.vocabulary) {
    throw new UserError(
      `Cannot decode: the index uses token ${trie.maxToken}, the model has ${model.vocabulary} tokens, ` +
        `expected ids up to ${model.vocabulary - 1}. Use the index that the model was trained with`,
    );
  }
}

/** Steps after the first: the last token of a SID is chosen, but never appended. */
export function appendedTokens(trie: DeviceTrie): number {
  return Math.max(1, trie.host.maxDepth - 1);
}

/**
 * Most beams, all prompts together, of one batch. The tallest matrices are what the beams keep of each step and, of an
 * encoder-decoder, of its start token (beams * (steps + 1), ..); the widest are those of the model or logits
 * (beams, `logitColumns`), if there are any.
 */
export function mostBeams(
  { limits, layout }: Device,
  { mostTokens }: DecodeModel,
  trie: DeviceTrie,
  logitColumns = 0,
): number {
  const most = Math.min(BATCH_BEAMS, mostTokens);
  if (layout === "texture") {
    return Math.min(most, Math.floor(limits.maxTextureDimension2D / (appendedTokens(trie) + 1)));
  }
  if (logitColumns === 0) return most;
  return Math.min(most, Math.floor(limits.maxStorageBufferBindingSize / (4 * logitColumns)));
}

/**
 * Where to cut prompts that are too long together for one batch: in halves, so that few batch sizes, and thus few sizes
 * of matrices, exist. Undefined where they fit.
 */
export function cutOf(
  { mostTokens }: Pick<DecodeModel, "mostTokens">,
  prompts: readonly Uint32Array[],
): number | undefined {
  const tokens = prompts.reduce((sum, { length }) => sum + length, 0);
  const isTooLong = tokens > BATCH_TOKENS || promptRows(tokens) > mostTokens;
  return prompts.length > 1 && isTooLong ? prompts.length >> 1 : undefined;
}

/**
 * Where to cut a batch of many prompts so that few sizes of batches exist, since matrices of each size are kept: up to 8
 * all, then multiples of 4. Undefined where it is of such a size.
 */
export function evenCutOf(count: number): number | undefined {
  return count > 8 && count % 4 !== 0 ? count - count % 4 : undefined;
}

/**
 * hidden (R, C) -> log-probabilities (R, capacity) of the children of each row's node, normalised over them, or over
 * the vocabulary given its log-sum-exp (R, 1). Reads only the rows of the head that the trie's tokens have.
 */
export function childLogProbs(
  device: Device,
  model: DecodeModel,
  { minToken, maxToken }: DeviceTrie,
  hidden: Matrix,
  rows: TrieRows,
  vocabularySum?: Matrix,
): Matrix {
  const head = model.head.filter(({ start, matrix }) => start <= maxToken && start + matrix.rows > minToken);
  return trieChildLogProbs(device, hidden, head, rows, vocabularySum).logProbs;
}
