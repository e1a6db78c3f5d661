import assert from "node:assert/strict";
import { tfidf } from "../../../embed/text/tfidf.ts";
import fc from "../../property.ts";

const options = { hashBits: 20, letters: 0, seed: 1 };

Deno.test("tfidf() weighs a word by its places and its rarity, and leaves out what one text alone has", () => {
  const { rows, cols, offsets, values } = tfidf(["tape blue", "tape red", "tape blue only", "new"], options);
  assert.deepEqual([rows, cols, ...offsets], [4, 2, 0, 2, 3, 5, 5]);
  // tape: first word, in 3 of 4 texts; blue: second word, in 2.
  const tape = Math.log(1 + 1) * (1 + Math.log(5 / 4));
  const blue = Math.log(1 + 16 / 17) * (1 + Math.log(5 / 3));
  const expected = [tape, blue].map((weight) => weight / Math.hypot(tape, blue)).sort();
  for (const [i, value] of [...values.subarray(0, 2)].sort().entries()) {
    assert.ok(Math.abs(value - expected[i]) < 1e-6);
  }
  assert.equal(values[2], 1);
});

Deno.test("tfidf() with runs of letters sees that clamps and clamping are near", () => {
  const texts = ["clamps", "clamping", "tape", "tape"];
  assert.equal(tfidf(texts, options).offsets[1], 0);
  const { offsets, columns, cols } = tfidf(texts, { ...options, letters: 3 });
  const runs = (row: number) => new Set(columns.subarray(offsets[row], offsets[row + 1]));
  // " cl", "cla", "lam", "amp" are in both; tape has itself and four runs.
  assert.equal(runs(0).size, 4);
  assert.deepEqual(runs(0), runs(1));
  assert.equal(cols, 4 + 5);
});

Deno.test("tfidf() gives rows of length 1 or none, columns below F in order, whatever the texts and buckets", () => {
  const texts = fc.array(
    fc.array(fc.constantFrom("a", "b1", "c-d", "ä", "x y"), { maxLength: 8 }).map((words) => words.join(" ")),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(fc.property(texts, fc.integer({ min: 1, max: 12 }), fc.nat(), (texts, hashBits, seed) => {
    const { cols, offsets, columns, values } = tfidf(texts, { hashBits, letters: 2, seed });
    assert.equal(columns.length, offsets[texts.length]);
    for (let row = 0; row < texts.length; row++) {
      const own = [...columns.subarray(offsets[row], offsets[row + 1])];
      assert.deepEqual(own, [...new Set(own)].sort((a, b) => a - b).filter((column) => column < cols));
      const squares = values.subarray(offsets[row], offsets[row + 1]).reduce(
        (sum, value) => sum + value ** 2,
        0,
      );
      assert.ok(own.length === 0 || Math.abs(squares - 1) < 1e-5);
    }
  }));
});
