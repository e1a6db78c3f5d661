import { deepStrictEqual } from "node:assert/strict";
import { historySequence, sampleSequence } from "../../../data/packing/sequences.ts";

const a = Uint32Array.of(10, 11, 12), b = Uint32Array.of(20, 21, 22), c = Uint32Array.of(30, 31);

Deno.test("sampleSequence() predicts the target's tokens alone when history weighs nothing", () => {
  deepStrictEqual(sampleSequence([a, b], c, { bos: 1, historyWeight: 0 }), {
    tokens: Uint32Array.of(1, 10, 11, 12, 20, 21, 22, 30),
    targets: [{ at: 6, token: 30, weight: 1 }, { at: 7, token: 31, weight: 1 }],
  });
});

Deno.test("sampleSequence() gives history tokens their weight", () => {
  deepStrictEqual(sampleSequence([a], c, { bos: 1, historyWeight: 0.3 }).targets, [
    { at: 0, token: 10, weight: 0.3 },
    { at: 1, token: 11, weight: 0.3 },
    { at: 2, token: 12, weight: 0.3 },
    { at: 3, token: 30, weight: 1 },
    { at: 4, token: 31, weight: 1 },
  ]);
});

Deno.test("sampleSequence() without history starts at BOS", () => {
  deepStrictEqual(sampleSequence([], c, { bos: 1, historyWeight: 0 }), {
    tokens: Uint32Array.of(1, 30),
    targets: [{ at: 0, token: 30, weight: 1 }, { at: 1, token: 31, weight: 1 }],
  });
});

Deno.test("historySequence() has a loss at every item and its own weight for the first", () => {
  deepStrictEqual(historySequence([c, a], { bos: 1, firstItemWeight: 0.5 }), {
    tokens: Uint32Array.of(1, 30, 31, 10, 11),
    targets: [
      { at: 0, token: 30, weight: 0.5 },
      { at: 1, token: 31, weight: 0.5 },
      { at: 2, token: 10, weight: 1 },
      { at: 3, token: 11, weight: 1 },
      { at: 4, token: 12, weight: 1 },
    ],
  });
});

Deno.test("historySequence() leaves the first item out at weight 0", () => {
  deepStrictEqual(historySequence([c, c], { bos: 1, firstItemWeight: 0 }).targets.map(({ at }) => at), [
    2,
    3,
  ]);
});

Deno.test("historySequence() multiplies each item's weight", () => {
  deepStrictEqual(
    historySequence([c, c], { bos: 1, firstItemWeight: 0.5, weights: [0.5, 0.25] }).targets
      .map(({ weight }) => weight),
    Array(2 * c.length).fill(0.25),
  );
});
