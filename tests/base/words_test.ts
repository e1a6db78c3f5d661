import assert from "node:assert/strict";
import { placeWeight, wordsOf } from "../../base/words.ts";

Deno.test("wordsOf() lowers letters, drops signs, and keeps numbers with their points, hyphens and slashes", () => {
  assert.deepEqual(wordsOf('3M "Blue" Tape, 1.5-Inch x 1/4 (ＡＢ) Größe'), [
    "3m",
    "blue",
    "tape",
    "1.5",
    "inch",
    "x",
    "1/4",
    "ab",
    "größe",
  ]);
  assert.deepEqual(wordsOf(" -- "), []);
});

Deno.test("placeWeight() is 1 for the first word and half of it sixteen words on", () => {
  assert.deepEqual([0, 16, 48].map(placeWeight), [1, 1 / 2, 1 / 4]);
});
