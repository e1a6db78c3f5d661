import assert from "node:assert/strict";
import { itemMap, mapPlaces } from "../../../sid/report/html_charts.ts";

const map = {
  items: [4, 7, 9],
  x: [0, 1, 2],
  y: [0, 4, 2],
  explained: [0.5, 0.25] as [number, number],
  tokens: ["<a_1>", "<a_1>", "<a_2>"],
};
const clusters = [
  { token: "<a_1>", items: 2, words: ["tape"] },
  { token: "<a_2>", items: 1, words: ["<b>"] },
];

Deno.test("items lie on the map where mapPlaces() says, and one of them may have a ring", () => {
  const places = mapPlaces(map);
  // Each axis fills its side of the 1000 by 640 map, 16 from its edges.
  assert.deepEqual(places.map(({ left, top }) => [1000 * left, 640 * top].map(Math.round)), [
    [16, 624],
    [500, 16],
    [984, 320],
  ]);
  const html = itemMap({ map, clusters }, 7);
  assert.match(html, /d="M16 624h0M500 16h0"/);
  assert.match(html, /<circle class="marked" cx="500" cy="16"/);
  assert.doesNotMatch(itemMap({ map, clusters }, 5), /marked/);
});

Deno.test("the map has no styles, which strict policies refuse, and words of titles are text", () => {
  const html = itemMap({ map, clusters });
  assert.doesNotMatch(html, /style=|<b>/);
  assert.match(html, /stroke="oklch\(var\(--lightness\) var\(--chroma\) 0\)"/);
});
