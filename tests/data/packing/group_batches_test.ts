import { deepStrictEqual, throws } from "node:assert/strict";
import { NO_TARGET } from "../../../data/packing/batches.ts";
import {
  type CompletionGroup,
  type GroupCapacity,
  groupSize,
  NO_ACTION,
  packGroups,
  planGroups,
} from "../../../data/packing/group_batches.ts";
import { UserError } from "../../../base/user_error.ts";
import fc from "../../property.ts";

const group = (prompt: number[], completions: number[][], nodes: number[][]): CompletionGroup => ({
  prompt: Uint32Array.from(prompt),
  completions: completions.map((tokens) => Uint32Array.from(tokens)),
  nodes: nodes.map((places) => Uint32Array.from(places)),
});

/** Two completions, of three tokens and of two. */
const fork = group([7, 8], [[1, 2, 3], [1, 4]], [[0, 1, 2], [0, 1]]);
const single = group([9], [[5]], [[0]]);

Deno.test("packGroups() lays two groups as trees and leaves unused rows seeing nothing", () => {
  const capacity = { tokens: 8, rows: 6, actions: 7, completions: 4, depth: 3 };
  deepStrictEqual(packGroups([fork, single], capacity), {
    // The prompt, the completions but for their last tokens, the other prompt.
    tokens: Uint32Array.of(7, 8, 1, 2, 1, 9, 0, 0),
    positions: Uint32Array.of(0, 1, 2, 3, 2, 0, 0, 0),
    intervals: Uint32Array.from([
      [0, 1, 0, 0],
      [0, 2, 0, 0],
      [0, 2, 2, 3],
      [0, 2, 2, 4],
      [0, 2, 4, 5],
      [5, 6, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ].flat()),
    viewers: Uint32Array.from([[0, 5], [1, 5], [2, 4], [3, 4], [4, 5], [5, 6], [0, 0], [0, 0]].flat()),
    targetRows: Uint32Array.of(1, 2, 3, 4, 5, 0),
    inverse: Uint32Array.of(NO_TARGET, 0, 1, 2, 3, 4, NO_TARGET, NO_TARGET),
    nodes: Uint32Array.of(0, 1, 2, 1, 0, NO_ACTION),
    // Both completions choose their first token in the prompt's last row.
    offsets: Uint32Array.of(0, 2, 3, 4, 5, 6, 6),
    actionTokens: Uint32Array.of(1, 1, 2, 3, 4, 5, 0),
    completions: Uint32Array.from(
      [[0, 2, 3], [1, 4, NO_ACTION], [5, NO_ACTION, NO_ACTION], Array(3).fill(NO_ACTION)].flat(),
    ),
    counts: { tokens: 6, rows: 5, actions: 6, completions: 3 },
  });
});

Deno.test("groupSize() counts the prompt once and no row for last tokens", () => {
  deepStrictEqual(groupSize(fork), { tokens: 5, rows: 4, actions: 5, completions: 2 });
  deepStrictEqual(groupSize(single), { tokens: 1, rows: 1, actions: 1, completions: 1 });
});

Deno.test("planGroups() opens a batch where any of the sizes is used up", () => {
  const roomy = { tokens: 100, rows: 100, actions: 100, completions: 100, depth: 3 };
  const groups = [fork, single, fork];
  deepStrictEqual(planGroups(groups, roomy), [[0, 1, 2]]);
  deepStrictEqual(planGroups(groups, { ...roomy, tokens: 6 }), [[0, 1], [2]]);
  deepStrictEqual(planGroups(groups, { ...roomy, rows: 4 }), [[0], [1], [2]]);
  deepStrictEqual(planGroups(groups, { ...roomy, actions: 6 }), [[0, 1], [2]]);
  deepStrictEqual(planGroups(groups, { ...roomy, completions: 2 }), [[0], [1], [2]]);
  deepStrictEqual(planGroups([], roomy), []);
});

Deno.test("planGroups() refuses a group larger than a batch and says what to change", () => {
  const capacity = { tokens: 4, rows: 9, actions: 9, completions: 9, depth: 3 };
  throws(
    () => planGroups([single, fork], capacity),
    (error) =>
      error instanceof UserError && /5 tokens: expected at most 4 .*--tokens-per-batch/.test(error.message),
  );
});

Deno.test("packGroups() refuses more than the capacity", () => {
  const exact = { tokens: 5, rows: 4, actions: 5, completions: 2, depth: 3 };
  packGroups([fork], exact);
  for (const key of ["tokens", "rows", "actions", "completions", "depth"] as const) {
    throws(() => packGroups([fork], { ...exact, [key]: exact[key] - 1 }), RangeError, key);
  }
});

const tokens = (length: fc.Arbitrary<number>) =>
  length.chain((length) =>
    fc.array(fc.integer({ min: 1, max: 99 }), { minLength: length, maxLength: length })
  );
const anyGroup = fc.record({
  prompt: tokens(fc.integer({ min: 1, max: 5 })),
  completions: fc.array(tokens(fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 4 }),
}).map(({ prompt, completions }) =>
  // A node that tells its completion and place.
  group(prompt, completions, completions.map((own, c) => own.map((_, place) => place && 10 * c + place)))
);

Deno.test("packGroups() shows each token its prompt and its own branch, in order, and nothing else", () => {
  fc.assert(fc.property(fc.array(anyGroup, { maxLength: 4 }), (groups) => {
    const capacity = sumOf(groups, 2);
    const batch = packGroups(groups, capacity);
    const sees = (query: number, key: number) =>
      [0, 2].some((at) => {
        const [from, to] = batch.intervals.subarray(4 * query + at);
        return from <= key && key < to;
      });
    const rows = Array.from({ length: capacity.tokens }, (_, row) => row);
    const seenBy = (row: number) => rows.filter((key) => sees(row, key));
    for (const key of rows) {
      const [from, to] = batch.viewers.subarray(2 * key);
      deepStrictEqual(rows.filter((query) => sees(query, key)), rows.slice(from, to));
    }
    let completion = 0;
    for (const { prompt, completions, nodes } of groups) {
      for (const [c, own] of completions.entries()) {
        const actions = batch.completions.subarray(
          completion * capacity.depth,
          ++completion * capacity.depth,
        );
        deepStrictEqual(
          [...actions.subarray(own.length)],
          Array(capacity.depth - own.length).fill(NO_ACTION),
        );
        for (const [place, token] of own.entries()) {
          const action = actions[place];
          const at = batch.offsets.findIndex((_, u) => action < batch.offsets[u + 1]);
          const row = batch.targetRows[at];
          deepStrictEqual(batch.actionTokens[action], token);
          deepStrictEqual(batch.inverse[row], at);
          deepStrictEqual(batch.nodes[at], nodes[c][place]);
          const seen = seenBy(row);
          deepStrictEqual(seen.map((key) => batch.tokens[key]), [...prompt, ...own.subarray(0, place)]);
          deepStrictEqual(seen.map((key) => batch.positions[key]), seen.map((_, i) => i));
        }
      }
    }
    for (const row of rows.slice(batch.counts.tokens)) deepStrictEqual(seenBy(row), []);
  }));
});

Deno.test("planGroups() keeps the order, takes every group once and fills no batch too far", () => {
  const capacity = { tokens: 24, rows: 16, actions: 20, completions: 6, depth: 4 };
  fc.assert(fc.property(fc.array(anyGroup, { maxLength: 12 }), (groups) => {
    const plan = planGroups(groups, capacity);
    deepStrictEqual(plan.flat(), groups.map((_, i) => i));
    for (const members of plan) packGroups(members.map((number) => groups[number]), capacity);
  }));
});

/** What the groups need, and `spare` more of everything. */
function sumOf(groups: readonly CompletionGroup[], spare: number): GroupCapacity {
  const sizes = groups.map(groupSize);
  const sum = (key: keyof ReturnType<typeof groupSize>) =>
    sizes.reduce((total, size) => total + size[key], spare);
  return {
    tokens: sum("tokens"),
    rows: sum("rows"),
    actions: sum("actions"),
    completions: sum("completions"),
    depth: 4,
  };
}
