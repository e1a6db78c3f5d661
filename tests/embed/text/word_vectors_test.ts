import assert from "node:assert/strict";
import { diskFiles } from "../../../base/files/disk.ts";
import { smoothInverseFrequency } from "../../../embed/text/sif.ts";
import { readWordVectors } from "../../../embed/text/word_vectors.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

Deno.test("readWordVectors() reads GloVe's lines, and word2vec's with their counts in front", async () => {
  const lines = "Tape 1 0 -0.5\nblue 0 1 2e-1 \n";
  await withFiles({ "glove.txt": lines, "word2vec.txt": `2 3\n${lines}` }, async (dir) => {
    for (const name of ["glove.txt", "word2vec.txt"]) {
      const { dim, vectorOf } = await readWordVectors(diskFiles, `${dir}/${name}`);
      assert.equal(dim, 3);
      assert.deepEqual([...vectorOf("tape") as Float32Array], [1, 0, -0.5]);
      assert.deepEqual([...vectorOf("blue") as Float32Array], [0, 1, 0.2].map(Math.fround));
      assert.equal(vectorOf("2"), undefined);
    }
  });
});

Deno.test("readWordVectors() names the line that has too few numbers or none", async () => {
  await withFiles({ "a.txt": "x 1 2\ny 1\n", "b.txt": "x 1 2\ny 1 two\n", "c.txt": "" }, async (dir) => {
    await assert.rejects(
      readWordVectors(diskFiles, `${dir}/a.txt`),
      /a\.txt line 2: expected a word and 2 numbers, found "y 1"/,
    );
    await assert.rejects(
      readWordVectors(diskFiles, `${dir}/b.txt`),
      /b\.txt line 2: expected a word and 2 numbers/,
    );
    await assert.rejects(readWordVectors(diskFiles, `${dir}/c.txt`), /c\.txt: it has no lines/);
  });
});

const vectors: Record<string, number[]> = {
  tape: [9, 1, 0],
  blue: [9, 0, 1],
  red: [9, 0, -1],
  rule: [9, -1, 0],
};
const words = { dim: 3, vectorOf: (word: string) => vectors[word] };

Deno.test("smoothInverseFrequency() takes out what all words share and leaves what tells them apart", () => {
  const data = smoothInverseFrequency(["tape", "rule", "blue", "red"], words);
  const expected = [[0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]].flat();
  for (const [i, value] of data.entries()) {
    assert.ok(Math.abs(value - expected[i]) < 1e-5, `number ${i}: ${value}`);
  }
});

Deno.test("smoothInverseFrequency() lets the rarer word of a text decide, and gives 0 to unknown words", () => {
  const common = Array.from({ length: 60 }, () => "tape");
  const data = smoothInverseFrequency(["tape blue", ...common, "rule", "red", "zzz"], words);
  const [, tape, blue] = data;
  assert.ok(blue > 2 * Math.abs(tape), `${tape} of tape, ${blue} of blue`);
  assert.deepEqual([...data.subarray(-3)], [0, 0, 0]);
  assert.throws(() => smoothInverseFrequency(["zzz", ""], words), /none of their words has a vector/);
});
