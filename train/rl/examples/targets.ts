/** Which items an answer means: all that have its SID. */
export class AnswerItems {
  #items = new Map<string, number[]>();
  #lengths: number[];

  /** `itemTokens[i]` is what the model writes for item i, nothing for one that is no answer. */
  constructor(itemTokens: readonly Uint32Array[]) {
    for (const [item, tokens] of itemTokens.entries()) {
      if (tokens.length === 0) continue;
      const key = tokens.join(), items = this.#items.get(key);
      if (items) items.push(item);
      else this.#items.set(key, [item]);
    }
    this.#lengths = [...new Set(itemTokens.map(({ length }) => length))].filter((length) => length > 0)
      .sort((a, b) => b - a);
  }

  /** Item numbers, ascending; undefined unless the answer begins with what the model writes for an item. */
  of(answer: Uint32Array): readonly number[] | undefined {
    for (const length of this.#lengths) {
      const items = length <= answer.length && this.#items.get(answer.subarray(0, length).join());
      if (items) return items;
    }
  }
}

/** Targets of rows, after a row's own those of the other rows that have the same prompt; each part ascending. */
export function sharedTargets(
  targets: readonly (readonly number[])[],
  prompt: (row: number) => Uint32Array,
): (readonly number[])[] {
  const byPrompt = Map.groupBy(targets.keys(), (row) => prompt(row).join());
  const shared = targets.slice();
  for (const rows of byPrompt.values()) {
    if (rows.length === 1) continue;
    const union = [...new Set(rows.flatMap((row) => targets[row]))].sort((a, b) => a - b);
    for (const row of rows) shared[row] = [...new Set([...targets[row], ...union])];
  }
  return shared;
}
