import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { codewordGini, entropy, reportSids } from "../../sid/statistics.ts";

const DATA = process.env.GENREC_DATA ?? "../shared/data";

Deno.test("codewordGini() is 0 for equal counts and 3/4 where one of four has all", () => {
  assert.equal(codewordGini([5, 5, 5, 5]), 0);
  assert.equal(codewordGini([0, 4, 0, 0]), 0.75);
  // Sorted 1, 3: 2 (1 + 6) / (2 * 4) - 3/2 = 1/4.
  assert.equal(codewordGini([3, 1]), 0.25);
});

Deno.test("entropy() is 1.5 bits for a half and two quarters", () => {
  assert.equal(entropy([2, 1, 1, 0]), 1.5);
  assert.equal(entropy([9]), 0);
});

Deno.test("reportSids() counts collisions, lengths and the use of every level", () => {
  const report = reportSids(
    [["<a_0>", "<b_1>"], ["<a_0>", "<b_1>"], ["<a_0>", "<b_2>"], ["<a_3>", "<b_1>", "<c_0>"]],
    [4, 4, 2],
  );
  assert.equal(report.items, 4);
  assert.equal(report.distinct, 3);
  assert.equal(report.collisionRate, 0.25);
  assert.equal(report.collisionGroups, 1);
  assert.equal(report.collidingItems, 2);
  assert.equal(report.largestGroup, 2);
  assert.deepEqual(report.lengths, { "2": 3, "3": 1 });
  // Level a: counts 3, 1, 0, 0; sorted 0 0 1 3: 2 (3 + 12) / 16 - 5/4 = 5/8.
  const { entropy: bits, perplexity, ...a } = report.levels[0];
  assert.deepEqual(a, { level: "a", items: 4, used: 2, codebookSize: 4, usage: 0.5, gini: 0.625 });
  assert.ok(Math.abs(bits - (2 - 0.75 * Math.log2(3))) < 1e-12);
  assert.ok(Math.abs(perplexity - 4 / 3 ** 0.75) < 1e-12);
  assert.deepEqual(report.levels[2], {
    level: "c",
    items: 1,
    used: 1,
    codebookSize: 2,
    usage: 0.5,
    gini: 0.5,
    entropy: 0,
    perplexity: 1,
  });
});

Deno.test("reportSids() counts the codewords that occur where no codebook size is given", () => {
  const [level] = reportSids([["<a_7>"], ["<a_9>"]]).levels;
  assert.equal(level.codebookSize, 2);
  assert.equal(level.usage, 1);
  assert.equal(level.perplexity, 2);
});

Deno.test("reportSids() refuses no items and a codebook smaller than what is used", () => {
  assert.throws(() => reportSids([]), /no items/);
  assert.throws(
    () => reportSids([["<a_1>"], ["<a_2>"]], [1]),
    /level a: it uses 2 codewords, its codebook has 1/,
  );
});

const published = [
  { file: "minionerec-industrial/index.json", items: 3686, distinct: 3670, groups: 15, largest: 3 },
  {
    file: "minionerec-industrial/index.constrained.json",
    items: 3686,
    distinct: 3686,
    groups: 0,
    largest: 1,
  },
  { file: "letter-instruments/index.json", items: 9922, distinct: 9897, groups: 23, largest: 3 },
];
for (const { file, items, distinct, groups, largest } of published) {
  const path = `${DATA}/${file}`;
  const missing = !existsSync(path);
  if (missing) console.log(`skipped: ${path} is missing, set GENREC_DATA to the folder of the real data`);
  Deno.test({
    name: `reportSids() finds ${items - distinct} of ${items} items too many in ${file}`,
    ignore: missing,
    fn: () => {
      const index: Record<string, string[]> = JSON.parse(readFileSync(path, "utf8"));
      const report = reportSids(Object.values(index));
      assert.equal(report.items, items);
      assert.equal(report.distinct, distinct);
      assert.equal(report.collisionGroups, groups);
      assert.equal(report.largestGroup, largest);
      assert.equal(report.collisionRate, (items - distinct) / items);
      if (file === "minionerec-industrial/index.json") {
        assert.equal(report.collisionRate.toFixed(6), "0.004341");
        assert.deepEqual(report.levels.map((level) => level.used), [48, 256, 256]);
      }
    },
  });
}
