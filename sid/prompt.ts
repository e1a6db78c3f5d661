import type { SidVocabulary } from "./tokens.ts";

/** Token ids of every item's SID, index = item number. */
export function encodeItems(vocabulary: SidVocabulary, sids: readonly (readonly string[])[]): Uint32Array[] {
  return sids.map((sid) => vocabulary.encode(sid));
}

/**
 * What the model reads before it writes the next item: BOS and the SIDs of the last `maxHistory` items, oldest first.
 * The one template of training, evaluation and recommendation.
 */
export function historyPrompt(
  bos: number,
  itemTokens: readonly Uint32Array[],
  history: readonly number[],
  maxHistory: number,
): Uint32Array {
  const items = history.slice(-maxHistory).map((item) => itemTokens[item]);
  const prompt = new Uint32Array(1 + items.reduce((sum, tokens) => sum + tokens.length, 0));
  prompt[0] = bos;
  let at = 1;
  for (const tokens of items) {
    prompt.set(tokens, at);
    at += tokens.length;
  }
  return prompt;
}
