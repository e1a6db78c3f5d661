import assert from "node:assert/strict";
import { sidSources } from "../../../tasks/_stages/pipeline.ts";

const titled = (...titles: string[]) => ({ items: titles.map((title) => ({ title })) });
const sourcesOf = (sidsOfTitles: boolean, ...titles: string[]) =>
  sidSources({ dataset: titled(...titles), preset: { sidsOfTitles } }).join(" and ");

Deno.test("sidSources() takes titles where they tell items apart, and purchases where these are many", () => {
  assert.equal(sourcesOf(true, "screw", "plug", "drill"), "titles");
  assert.equal(sourcesOf(false, "screw", "plug", "drill"), "titles and what was bought together");
  assert.equal(sourcesOf(true, "screw", "screw", "screw", "plug"), "titles and what was bought together");
  for (const ofTitles of [true, false]) {
    assert.equal(sourcesOf(ofTitles, "", "", ""), "what was bought together");
    assert.equal(sourcesOf(ofTitles, "same", "same"), "what was bought together");
  }
});
