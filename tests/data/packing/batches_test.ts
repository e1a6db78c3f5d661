import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { NO_TARGET, packBatch, packSequences, planBatches } from "../../../data/packing/batches.ts";
import type { PackInput } from "../../../data/packing/sequences.ts";
import { UserError } from "../../../base/user_error.ts";
import fc from "../../property.ts";

Deno.test("packSequences() lays two sequences into one batch and leaves unused rows attending to nothing", () => {
  const sequences: PackInput[] = [
    {
      tokens: Uint32Array.of(1, 5, 6),
      targets: [{ at: 1, token: 6, weight: 0.5 }, { at: 2, token: 7, weight: 1 }],
    },
    { tokens: Uint32Array.of(1, 8), targets: [{ at: 1, token: 9, weight: 1 }] },
  ];
  deepStrictEqual(packSequences(sequences, { tokens: 7, rows: 4 }), [{
    tokens: Uint32Array.of(1, 5, 6, 1, 8, 0, 0),
    positions: Uint32Array.of(0, 1, 2, 0, 1, 0, 0),
    starts: Uint32Array.of(0, 0, 0, 3, 3, 0, 0),
    ends: Uint32Array.of(3, 3, 3, 5, 5, 0, 0),
    targetRows: Uint32Array.of(1, 2, 4, 0),
    targetTokens: Uint32Array.of(6, 7, 9, 0),
    targetWeights: Float32Array.of(0.5, 1, 1, 0),
    inverse: Uint32Array.of(NO_TARGET, 0, 1, NO_TARGET, 2, NO_TARGET, NO_TARGET),
    counts: { tokens: 5, targets: 3, weightSum: 2.5, sequences: 2 },
  }]);
});

Deno.test("planBatches() is first-fit in the given order", () => {
  const sizes = [6, 5, 4, 3, 2].map((tokens) => ({ tokens, targets: 1 }));
  deepStrictEqual(planBatches(sizes, { tokens: 10, rows: 9 }), [[0, 2], [1, 3, 4]]);
  deepStrictEqual(planBatches(sizes, { tokens: 10, rows: 9 }, [4, 0, 1, 2, 3]), [[4, 0], [1, 2], [3]]);
  deepStrictEqual(planBatches(sizes, { tokens: 100, rows: 2 }), [[0, 1], [2, 3], [4]]);
});

Deno.test("planBatches() refuses a sequence longer than a batch and says what to change", () => {
  throws(
    () => planBatches([{ tokens: 11, targets: 1 }], { tokens: 10, rows: 5 }),
    (error) =>
      error instanceof UserError && /sequence of 11 tokens and 1 targets.*10 tokens/.test(error.message),
  );
  throws(() => planBatches([{ tokens: 3, targets: 6 }], { tokens: 10, rows: 5 }), UserError);
});

Deno.test("packBatch() refuses more than the capacity", () => {
  const sequence: PackInput = { tokens: new Uint32Array(3), targets: [] };
  throws(() => packBatch([sequence, sequence], { tokens: 5, rows: 1 }), RangeError);
});

Deno.test("packSequences() keeps every sequence whole and once, within capacity", () => {
  // Sequence s holds tokens 1000 s, 1000 s + 1, …, so a token tells where it came from.
  const sizes = fc.array(fc.record({ length: fc.integer({ min: 1, max: 40 }), targets: fc.nat(40) }), {
    maxLength: 60,
  });
  fc.assert(fc.property(sizes, (sizes) => {
    const sequences = sizes.map(({ length, targets }, s): PackInput => ({
      tokens: Uint32Array.from({ length }, (_, i) => 1000 * s + i),
      targets: Array.from(
        { length: Math.min(targets, length) },
        (_, at) => ({ at, token: 1000 * s + at + 1, weight: 1 }),
      ),
    }));
    const capacity = { tokens: 64, rows: 48 };
    const seen = new Set<number>();
    let targets = 0;
    for (const batch of packSequences(sequences, capacity)) {
      ok(batch.counts.tokens <= capacity.tokens && batch.counts.targets <= capacity.rows);
      for (let row = 0; row < batch.counts.tokens; row++) {
        const s = Math.floor(batch.tokens[row] / 1000);
        strictEqual(batch.tokens[row], 1000 * s + batch.positions[row]);
        strictEqual(batch.starts[row], row - batch.positions[row]);
        strictEqual(batch.ends[row] - batch.starts[row], sequences[s].tokens.length);
        ok(!seen.has(batch.tokens[row]));
        seen.add(batch.tokens[row]);
      }
      for (let row = batch.counts.tokens; row < capacity.tokens; row++) {
        deepStrictEqual([batch.starts[row], batch.ends[row], batch.inverse[row]], [0, 0, NO_TARGET]);
      }
      for (let place = 0; place < batch.counts.targets; place++) {
        strictEqual(batch.inverse[batch.targetRows[place]], place);
        strictEqual(batch.targetTokens[place], batch.tokens[batch.targetRows[place]] + 1);
      }
      targets += batch.counts.targets;
    }
    strictEqual(seen.size, sequences.reduce((sum, { tokens }) => sum + tokens.length, 0));
    strictEqual(targets, sequences.reduce((sum, sequence) => sum + sequence.targets.length, 0));
  }));
});
