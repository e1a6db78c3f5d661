import assert from "node:assert/strict";
import { beamTree, probability } from "../../../../web/studio/drawings/beam_tree.ts";

Deno.test("the tree of a search links what led to the list, also where SIDs end early", () => {
  const html = beamTree({
    kept: [
      [{ prefix: ["<a_1>"], score: Math.log(0.75), listed: 1 }, {
        prefix: ["<a_2>"],
        score: Math.log(0.25),
        listed: 1,
      }],
      [{ prefix: ["<a_1>", "<b_5>"], score: Math.log(0.5), listed: 1 }, {
        prefix: ["<a_1>", "<b_6>"],
        score: -9,
        listed: 0,
      }],
    ],
    items: [
      { item: 3, sid: "<a_1><b_5><c_7>", title: "<script>alert(1)</script>", score: Math.log(0.5) },
      { item: 4, sid: "<a_2><b_9>", title: "short", score: Math.log(0.125) },
    ],
  });
  assert.match(html, /a_1 75 %.*a_2 25 %.*b_5 50 %/);
  assert.match(html, /50 % &lt;script&gt;/);
  assert.doesNotMatch(html, /<script|style=/);
  // b_5 and b_6 hang on a_1, the first item on b_5 and the second, of two codes alone, on a_2.
  assert.deepEqual([html.match(/<path/g)!.length, html.match(/<path class="listed"/g)!.length], [4, 3]);
  assert.match(html, /<td class="text"><code>a_1 b_6<\/code><\/td><td>0\.012 %<\/td><td>0<\/td>/);
  assert.equal(probability(0), "100 %");
});
