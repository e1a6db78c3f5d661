import assert from "node:assert/strict";
import { PrefixTree } from "../../../../sid/prefix_tree.ts";
import { placeTowards } from "../../../../web/studio/drawings/map_keys.ts";
import { bandAt, treeDrawing } from "../../../../web/studio/drawings/tree_drawing.ts";

const SIDS = [["<a_1>", "<b_2>"], ["<a_1>", "<b_3>", "<c_1>"], ["<a_&>", "<b_2>"], [
  "<a_1>",
  "<b_3>",
  "<c_2>",
]];
const tree = new PrefixTree(SIDS);
const shape = { count: 4, widths: tree.widths([]), reached: [4, 4, 2], levels: tree.bands(2) };

Deno.test("the whole tree is drawn beginning below beginning, without those of few items", () => {
  assert.deepEqual(shape.levels, [
    [{ prefix: ["<a_1>"], start: 0, items: 3 }],
    [{ prefix: ["<a_1>", "<b_3>"], start: 0, items: 2 }],
  ]);
  assert.deepEqual(tree.bands(1)[2].map(({ start, items }) => [start, items]), [[0, 1], [1, 1]]);
  const html = treeDrawing(shape, ["<a_1>", "<b_3>"]);
  const widths = [...html.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));
  // Grey rows as wide as the items that reach them, bands in front of them, and the frame.
  assert.deepEqual(widths, [1000, 750, 1000, 500, 500, 500]);
  assert.equal(html.match(/class="marked"/g)!.length, 1);
  assert.match(html, /first code: 2 beginnings, 2\.0 items each/);
  assert.match(html, /first 3 codes: 2 beginnings of the 2 items that have so many, 1\.0 items each/);
  assert.match(treeDrawing({ ...shape, levels: tree.bands(1) }, []), /a_&amp;/);
});

Deno.test("a click on the drawing finds the beginning below it", () => {
  assert.deepEqual(bandAt(shape, 0.1, 0.1), ["<a_1>"]);
  assert.deepEqual(bandAt(shape, 0.1, 0.5), ["<a_1>", "<b_3>"]);
  assert.equal(bandAt(shape, 0.9, 0.1), undefined, "too narrow to be drawn");
  assert.equal(bandAt(shape, 0.1, 0.9), undefined);
});

Deno.test("arrow keys lead to the nearest item on their side", () => {
  const places = [[0.5, 0.5], [0.6, 0.5], [0.9, 0.52], [0.5, 0.9], [0.1, 0.1]]
    .map(([left, top]) => ({ left, top }));
  assert.equal(placeTowards(places, undefined, "ArrowLeft"), 0, "from the middle");
  assert.equal(placeTowards(places, 0, "ArrowRight"), 1);
  assert.equal(placeTowards(places, 1, "ArrowRight"), 2);
  assert.equal(placeTowards(places, 2, "ArrowRight"), undefined);
  assert.equal(placeTowards(places, 0, "ArrowDown"), 3);
  assert.equal(placeTowards(places, 0, "ArrowLeft"), 4);
  assert.equal(placeTowards(places, 0, "Enter"), undefined);
});
