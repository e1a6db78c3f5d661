/** One training sequence. */
export interface PackInput {
  /** Input tokens. */
  tokens: Uint32Array;
  /** `token` is predicted from the hidden state at index `at`, with a loss weight above 0; `at` ascends. */
  targets: { at: number; token: number; weight: number }[];
}

/**
 * [BOS, item 1, …, item n] with the last token dropped, since nothing follows it. `weights[i]` is the loss weight
 * of every token of item i; weight 0 makes no target.
 */
function weightedSequence(bos: number, items: readonly Uint32Array[], weights: (item: number) => number) {
  const length = items.reduce((sum, item) => sum + item.length, 0);
  const tokens = new Uint32Array(length);
  const targets: PackInput["targets"] = [];
  tokens[0] = bos;
  let at = 0;
  for (const [number, item] of items.entries()) {
    const weight = weights(number);
    for (const token of item) {
      if (weight > 0) targets.push({ at, token, weight });
      at++;
      if (at < length) tokens[at] = token;
    }
  }
  return { tokens, targets };
}

/**
 * `samples` mode: one sequence a target. Every token of the target has weight `weight`, every token of a history item
 * `historyWeight` times that (0 leaves them out). `history` is oldest first, one SID as token ids an item.
 */
export function sampleSequence(
  history: readonly Uint32Array[],
  target: Uint32Array,
  { bos, historyWeight, weight = 1 }: { bos: number; historyWeight: number; weight?: number },
): PackInput {
  return weightedSequence(
    bos,
    [...history, target],
    (item) => item === history.length ? weight : weight * historyWeight,
  );
}

/**
 * `histories` mode: one sequence a user with a loss at every item, so a target is never seen before it is
 * predicted. `weights` has one loss weight an item, 1 each by default; the first item, which follows nothing but BOS,
 * has `firstItemWeight` times its own.
 */
export function historySequence(
  items: readonly Uint32Array[],
  { bos, firstItemWeight, weights }: { bos: number; firstItemWeight: number; weights?: readonly number[] },
): PackInput {
  return weightedSequence(bos, items, (item) => (weights?.[item] ?? 1) * (item === 0 ? firstItemWeight : 1));
}

/** A prompt and what should follow it: a loss of `weight` at every token of `completion`, none in the prompt. */
export function completionSequence(prompt: Uint32Array, completion: Uint32Array, weight = 1): PackInput {
  const tokens = new Uint32Array(prompt.length + completion.length - 1);
  tokens.set(prompt);
  tokens.set(completion.subarray(0, -1), prompt.length);
  const targets = Array.from(completion, (token, i) => ({ at: prompt.length - 1 + i, token, weight }));
  return { tokens, targets };
}
