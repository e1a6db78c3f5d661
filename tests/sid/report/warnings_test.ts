import assert from "node:assert/strict";
import { reportSids } from "../../../sid/statistics.ts";
import { sidWarnings } from "../../../sid/report/warnings.ts";

/** SIDs of `items` items, item i with codes `codesOf(i)`. */
function sids(items: number, codesOf: (item: number) => number[]): string[][] {
  return Array.from({ length: items }, (_, item) => codesOf(item).map((code, l) => `<${"abc"[l]}_${code}>`));
}

function warnings(coded: string[][], final: string[][], sizes: number[], unexplained = sizes.map(() => 0.5)) {
  return sidWarnings(reportSids(coded, sizes), reportSids(final, sizes), unexplained);
}

const even = sids(64, (item) => [item % 8, Math.floor(item / 8)]);

Deno.test("sidWarnings() is silent where codes are used evenly and nothing collides", () => {
  assert.deepEqual(warnings(even, even, [8, 8]), []);
});

Deno.test("sidWarnings() tells a dead level, a collapsed and an uneven one apart", () => {
  const dead = sids(64, (item) => [item, 0]);
  assert.match(warnings(dead, dead, [64, 8]).join(), /^Level b is dead: /);
  const collapsed = sids(64, (item) => [item % 3, Math.floor(item / 3)]);
  assert.match(
    warnings(collapsed, collapsed, [8, 22]).join(),
    /^Level a uses 3 of 8 codewords \(37\.5 %\): /,
  );
  const uneven = sids(64, (item) => [item < 57 ? 0 : item - 56, item]);
  assert.match(warnings(uneven, uneven, [8, 64]).join(), /^Level a is uneven: its 8 codewords .* than 2 /);
});

Deno.test("sidWarnings() names the share that collides as coded, and what still shares a SID", () => {
  const coded = sids(64, (item) => [item % 8, Math.floor(item / 16)]);
  const [collide, ...none] = warnings(coded, even, [8, 8]);
  assert.match(collide, /^50\.0 % of the items got codes that another item has already/);
  assert.deepEqual(none, []);
  assert.match(warnings(coded, coded, [8, 8]).at(-1)!, /^64 items still share a SID, up to 2 on one/);
});

Deno.test("sidWarnings() says that codes which stand for worse than the mean were not learned", () => {
  assert.deepEqual(warnings(even, even, [8, 8], [1.3, 0.9]), []);
  assert.match(
    warnings(even, even, [8, 8], [1, 1.24]).join(),
    /^The vectors .* learned nothing yet\. Train longer/,
  );
});

Deno.test("sidWarnings() takes no offence at extra codes, which few items have", () => {
  const extended = even.map((sid, item) => item < 2 ? [...sid, `<c_${item}>`] : sid);
  assert.deepEqual(warnings(even, extended, [8, 8]), []);
});
