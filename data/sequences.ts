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
 * `samples` mode: one sequence a target. Every token of the target has weight 1, every token of a history item
 * `historyWeight` (0 leaves them out). `history` is oldest first, one SID as token ids an item.
 */
export function sampleSequence(
  history: readonly Uint32Array[],
  target: Uint32Array,
  options: { bos: number; historyWeight: number },
): PackInput {
  return weightedSequence(
    options.bos,
    [...history, target],
    (item) => item === history.length ? 1 : options.historyWeight,
  );
}

/**
 * `histories` mode: one sequence a user with a loss at every item, so a target is never seen before it is
 * predicted. The first item, which follows nothing but BOS, has weight `firstItemWeight`.
 */
export function historySequence(
  items: readonly Uint32Array[],
  options: { bos: number; firstItemWeight: number },
): PackInput {
  return weightedSequence(options.bos, items, (item) => item === 0 ? options.firstItemWeight : 1);
}
