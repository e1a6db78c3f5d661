import assert from "node:assert/strict";
import type { TensorMap } from "../../../models/parameters/parameters.ts";
import { addExtraLevel } from "../../../sid/collisions/extra_level.ts";
import { placeNewItems } from "../../../sid/methods/place_new.ts";
import { buildTrie } from "../../../sid/trie.ts";
import fc from "../../property.ts";

const CODEWORDS = 4;

/** Codebooks of `levels` levels whose codewords are at 0, 10, 20, 30. */
function codebooks(levels: number): TensorMap {
  const data = Float32Array.from({ length: CODEWORDS }, (_, codeword) => 10 * codeword);
  return new Map(
    Array.from({ length: levels }, (_, l) => [`codebook.${l}`, { shape: [CODEWORDS, 1], data }]),
  );
}

/** Codes of new items; what is left over of item i before the last level is at residuals[i]. */
function coded(rows: readonly (readonly number[])[], residuals = rows.map((row) => 10 * row.at(-1)!)) {
  const levels = rows[0].length;
  const { data: codebook } = codebooks(1).get("codebook.0")!;
  return {
    codes: Uint16Array.from(rows.flat()),
    levels,
    errors: Array<number>(levels).fill(0),
    lastLevel: { residuals: Float32Array.from(residuals), codebook, dim: 1 },
  };
}

const place = (catalogue: number[][], rows: number[][], residuals?: number[], share = false) =>
  placeNewItems(catalogue, coded(rows, residuals), codebooks(rows[0].length), share);

Deno.test("placeNewItems() leaves a new item its own codes where they are free", () => {
  assert.deepEqual(place([[0, 0]], [[0, 1]]), [{ sid: [0, 1], how: "coded" }]);
});

Deno.test("placeNewItems() takes the nearest free last codeword where the codes are taken", () => {
  // At 14, codeword 1 (at 10) is its own and taken, 2 (at 20) is nearer than 0.
  assert.deepEqual(place([[3, 1]], [[3, 1]], [14]), [{ sid: [3, 2], how: "moved" }]);
  assert.deepEqual(place([[3, 1]], [[3, 1]], [9]), [{ sid: [3, 0], how: "moved" }]);
});

Deno.test("placeNewItems() keeps new items apart from each other", () => {
  assert.deepEqual(place([[3, 1]], [[3, 1], [3, 1]], [14, 14]).map(({ sid }) => sid), [[3, 2], [3, 0]]);
});

Deno.test("placeNewItems() extends a group that has extra codes", () => {
  const catalogue = [[1, 1, 0], [1, 1, 1]];
  assert.deepEqual(place(catalogue, [[1, 1]]), [{ sid: [1, 1, 2], how: "extended" }]);
});

Deno.test("placeNewItems() goes to the nearest other prefix where one is full", () => {
  const full = [0, 1, 2, 3].map((last) => [2, last]);
  // Prefix 1 (at 10) and prefix 3 (at 30) are equally near to 2; the first one counts.
  assert.deepEqual(place(full, [[2, 0]]), [{ sid: [1, 0], how: "moved" }]);
});

Deno.test("placeNewItems() shares the SID where the policy is to share, or nothing is left", () => {
  assert.deepEqual(place([[1, 1]], [[1, 1]], [10], true), [{ sid: [1, 1], how: "shared" }]);
  const all = Array.from({ length: 16 }, (_, i) => [Math.floor(i / 4), i % 4]);
  assert.deepEqual(place(all, [[2, 1]]), [{ sid: [2, 1], how: "shared" }]);
});

const code = fc.nat(CODEWORDS - 1);
const rows = (most: number) => fc.array(fc.tuple(code, code, code), { minLength: 1, maxLength: most });

Deno.test("placeNewItems() gives SIDs of their own that begin no other, whatever the catalogue and its policy", () => {
  fc.assert(fc.property(rows(20), rows(20), (old, fresh) => {
    const { sids } = addExtraLevel({ data: old.flat(), rows: old.length, levels: 3 });
    const before = structuredClone(sids);
    const placed = placeNewItems(sids, coded(fresh), codebooks(3), false);
    assert.deepEqual(sids, before);
    assert.ok(placed.every(({ how }) => how !== "shared"));
    assert.equal(buildTrie([...sids, ...placed.map(({ sid }) => sid)]).leafCount, old.length + fresh.length);
  }));
});

Deno.test("placeNewItems() gives items added at once what they get one after the other", () => {
  fc.assert(fc.property(rows(10), rows(10), (old, fresh) => {
    const { sids } = addExtraLevel({ data: old.flat(), rows: old.length, levels: 3 });
    const atOnce = placeNewItems(sids, coded(fresh), codebooks(3), false).map(({ sid }) => sid);
    const grown = [...sids];
    for (const row of fresh) grown.push(placeNewItems(grown, coded([row]), codebooks(3), false)[0].sid);
    assert.deepEqual(grown.slice(sids.length), atOnce);
  }));
});
