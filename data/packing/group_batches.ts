import { NO_TARGET } from "./batches.ts";
import { UserError } from "../../base/user_error.ts";

/** Marks the end of a completion that is shorter than others in {@link GroupBatch.completions}. */
export const NO_ACTION = 0xffffffff;

/** A prompt and what was written after it, several times. */
export interface CompletionGroup {
  /** Token ids (L), at least one. */
  prompt: Uint32Array;
  /** Token ids of each completion, at least one each. */
  completions: readonly Uint32Array[];
  /** u32 a completion: the state in which each of its tokens was chosen, such as a node of a trie. */
  nodes: readonly Uint32Array[];
}

/** Fixed sizes of a group batch. */
export interface GroupCapacity {
  /** T: token rows. */
  tokens: number;
  /** U: rows in which a token is chosen. */
  rows: number;
  /** R: tokens that were chosen, of all completions together. */
  actions: number;
  /** N: completions. */
  completions: number;
  /** D: tokens of the longest completion. */
  depth: number;
}

/**
 * Groups laid end to end as packed trees: a prompt once, then each of its completions as a branch that sees the prompt
 * and itself. The last token of a completion is chosen but never read, so it has no row. Unused rows hold zeros.
 */
export interface GroupBatch {
  /** (T) token ids. */
  tokens: Uint32Array;
  /** (T) places in prompt and completion, counted from 0. */
  positions: Uint32Array;
  /** (4 T) the two intervals of rows that each row sees. */
  intervals: Uint32Array;
  /** (2 T) the interval of rows that see each row. */
  viewers: Uint32Array;
  /** (U) token rows in which tokens are chosen, ascending. */
  targetRows: Uint32Array;
  /** (T) the row's place in `targetRows`, or `NO_TARGET`. */
  inverse: Uint32Array;
  /** (U) state of each of these rows: see {@link CompletionGroup.nodes}. */
  nodes: Uint32Array;
  /** (U + 1) actions of row u are `offsets[u]` up to, not including, `offsets[u + 1]`. */
  offsets: Uint32Array;
  /** (R) token that each action chose. */
  actionTokens: Uint32Array;
  /** (N D) actions of each completion, first token first, then {@link NO_ACTION}. */
  completions: Uint32Array;
  /** Sizes in use. */
  counts: { tokens: number; rows: number; actions: number; completions: number };
}

/** Rows, choices and completions of a group. */
export function groupSize({ prompt, completions }: CompletionGroup): Omit<GroupCapacity, "depth"> {
  const actions = completions.reduce((sum, { length }) => sum + length, 0);
  const branches = actions - completions.length;
  return {
    tokens: prompt.length + branches,
    rows: 1 + branches,
    actions,
    completions: completions.length,
  };
}

/**
 * Assigns groups to batches in the given order, a new batch where one is full. `sizeOf` says what a group takes, which
 * is up to the layout. Returns the group numbers of each batch.
 * @throws {UserError} for a group that no batch can hold.
 */
export function planGroups(
  groups: readonly CompletionGroup[],
  capacity: GroupCapacity,
  sizeOf: (group: CompletionGroup) => Omit<GroupCapacity, "depth"> = groupSize,
): number[][] {
  const batches: number[][] = [];
  let used = { tokens: Infinity, rows: Infinity, actions: Infinity, completions: Infinity };
  const keys = ["tokens", "rows", "actions", "completions"] as const;
  groups.forEach((group, number) => {
    const size = sizeOf(group);
    const tooLarge = keys.find((key) => size[key] > capacity[key]);
    if (tooLarge) {
      throw new UserError(
        `Cannot pack a group of ${size[tooLarge]} ${tooLarge}: expected at most ${
          capacity[tooLarge]
        } a batch. ` +
          "Raise --tokens-per-batch, or lower --num-generations or the length of prompts",
      );
    }
    if (keys.some((key) => used[key] + size[key] > capacity[key])) {
      batches.push([]);
      used = { tokens: 0, rows: 0, actions: 0, completions: 0 };
    }
    for (const key of keys) used[key] += size[key];
    batches.at(-1)!.push(number);
  });
  return batches;
}

/** Lays groups into one batch. Throws `RangeError` where they exceed its capacity; {@link planGroups} avoids that. */
export function packGroups(groups: readonly CompletionGroup[], capacity: GroupCapacity): GroupBatch {
  const { tokens: T, rows: U, actions: R, completions: N, depth: D } = capacity;
  const batch: GroupBatch = {
    tokens: new Uint32Array(T),
    positions: new Uint32Array(T),
    intervals: new Uint32Array(4 * T),
    viewers: new Uint32Array(2 * T),
    targetRows: new Uint32Array(U),
    inverse: new Uint32Array(T).fill(NO_TARGET),
    nodes: new Uint32Array(U).fill(NO_ACTION),
    offsets: new Uint32Array(U + 1),
    actionTokens: new Uint32Array(R),
    completions: new Uint32Array(N * D).fill(NO_ACTION),
    counts: { tokens: 0, rows: 0, actions: 0, completions: 0 },
  };
  const { counts } = batch;
  const row = (token: number, position: number, sees: number[], seenUntil: number) => {
    const at = counts.tokens++;
    batch.tokens[at] = token;
    batch.positions[at] = position;
    batch.intervals.set(sees, 4 * at);
    batch.viewers.set([at, seenUntil], 2 * at);
  };
  /** Makes the token row `at` one in which tokens are chosen. */
  const choose = (at: number, node: number, actions: readonly [completion: number, place: number][]) => {
    batch.targetRows[counts.rows] = at;
    batch.inverse[at] = counts.rows;
    batch.nodes[counts.rows] = node;
    for (const [completion, place] of actions) {
      batch.completions[completion * D + place] = counts.actions++;
    }
    batch.offsets[++counts.rows] = counts.actions;
  };

  for (const group of groups) {
    const { prompt, completions, nodes } = group;
    const size = groupSize(group);
    const start = counts.tokens, end = start + size.tokens, promptEnd = start + prompt.length;
    const first = counts.completions;
    const longest = completions.reduce((most, { length }) => Math.max(most, length), 0);
    if (
      end > T || counts.rows + size.rows > U || counts.actions + size.actions > R ||
      first + completions.length > N || longest > D
    ) {
      throw new RangeError(
        `Cannot pack ${end} tokens, ${
          first + completions.length
        } completions of up to ${longest} tokens: expected at ` +
          `most ${T}, ${N} and ${D}, assign groups with planGroups()`,
      );
    }
    prompt.forEach((token, i) => row(token, i, [start, start + i + 1, 0, 0], end));
    // All completions choose their first token in the prompt's last row.
    completions.forEach((completion, c) => batch.actionTokens[counts.actions + c] = completion[0]);
    choose(promptEnd - 1, nodes[0][0], completions.map((_, c) => [first + c, 0]));
    completions.forEach((completion, c) => {
      const branch = counts.tokens, branchEnd = branch + completion.length - 1;
      for (let i = 0; i + 1 < completion.length; i++) {
        row(completion[i], prompt.length + i, [start, promptEnd, branch, branch + i + 1], branchEnd);
        batch.actionTokens[counts.actions] = completion[i + 1];
        choose(branch + i, nodes[c][i + 1], [[first + c, i + 1]]);
      }
    });
    counts.completions += completions.length;
  }
  batch.offsets.fill(counts.actions, counts.rows);
  return batch;
}
