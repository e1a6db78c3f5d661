import assert from "node:assert/strict";
import { forgeLastCodes } from "../../../sid/collisions/forge.ts";
import { codesOf, lastLevel } from "./scene.ts";

const lastOf256 = (items: number) =>
  lastLevel(new Array(items).fill(0), Array.from({ length: 256 }, (_, k) => k));

Deno.test("forgeLastCodes() starts each prefix where Python's zlib.adler32 of its tuple says", () => {
  const { sids, shared } = forgeLastCodes(codesOf([0, 0, 9], [12, 200, 9], [255, 255, 9]), lastOf256(3));
  assert.deepEqual(sids, [[0, 0, 254], [12, 200, 147], [255, 255, 214]]);
  assert.deepEqual(shared, []);
});

Deno.test("forgeLastCodes() counts on in row order and around the end of the codebook", () => {
  const { sids } = forgeLastCodes(codesOf([0, 0, 1], [7, 7, 3], [0, 0, 1], [0, 0, 5]), lastOf256(4));
  assert.deepEqual([0, 2, 3].map((item) => sids[item]), [[0, 0, 254], [0, 0, 255], [0, 0, 0]]);
});

Deno.test("forgeLastCodes() shares SIDs only where a prefix has more items than codewords", () => {
  const { shared } = forgeLastCodes(codesOf([3, 0], [3, 0], [3, 1], [4, 0]), lastLevel([0, 0, 0, 0], [0, 1]));
  assert.deepEqual(shared, [[0, 2]]);
});
