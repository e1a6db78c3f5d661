import assert from "node:assert/strict";
import type { CorpusItem } from "../../data/corpus.ts";
import { cleanText, itemText, minionerecText, TEXT_FIELDS, truncateText } from "../../data/item_text.ts";
import { loadItems } from "../../data/formats/item_file.ts";
import { realData } from "./downloaded.ts";
import fc from "../property.ts";

const item = (fields: Partial<CorpusItem>): CorpusItem => ({ id: "0", title: "", categories: [], ...fields });
const all = { fields: TEXT_FIELDS, maxCharacters: 1000 };

Deno.test("itemText() joins cleaned fields in the order asked for, as sentences, without those that are empty", () => {
  const rule = item({
    title: " Steel  Rule ",
    brand: "Acme!",
    categories: ["Tools", "Rulers"],
    description: "<br/>30 cm.",
  });
  assert.equal(itemText(rule, all), "Steel Rule. Acme! Tools, Rulers. 30 cm.");
  assert.equal(itemText(rule, { ...all, fields: ["description", "title"] }), "30 cm. Steel Rule");
  assert.equal(itemText(rule, { ...all, fields: ["features"] }), "");
});

Deno.test("cleanText() takes out tags, decodes entities, opens printed lists that do not parse, and keeps signs that are no tag", () => {
  assert.equal(
    cleanText('<b class="x">5 &lt; 6</b><br>\n&amp; &quot;7&quot; &#8211; &#x41;'),
    '5 < 6 & "7" – A',
  );
  assert.equal(cleanText(`['Bob's choice.\\n', 'Blue']`), "Bob's choice. Blue");
  assert.equal(cleanText("[sic] 'a', 'b'"), "[sic] 'a', 'b'");
  assert.equal(cleanText("3 < 5, a>b <!-- no\nword --> end"), "3 < 5, a>b end");
});

Deno.test("truncateText() gives a start of the text, never too long, that ends with a whole word where there is one", () => {
  assert.equal(truncateText("blue tape", 9), "blue tape");
  assert.equal(truncateText("blue tape", 8), "blue");
  assert.equal(truncateText("blue tape", 4), "blue");
  assert.equal(truncateText("abcdef", 3), "abc");
  assert.equal(truncateText("ab\u{1f600}", 3), "ab");
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20 }), (text, most) => {
    const cut = truncateText(text, most);
    assert.ok(
      cut.length <= most && text.startsWith(cut) &&
        (cut === text || cut.isWellFormed() || !text.isWellFormed()),
    );
  }));
});

Deno.test("minionerecText() ends each field with one point, keeps brackets of printed lists and loses long fields", () => {
  const attributes = { raw: { description: "['Sticky &amp; blue..', 'x']" } };
  assert.equal(
    minionerecText(item({ title: '30" <b>Tape</b>...', description: "Sticky & blue.. x", attributes })),
    "30 Tape. ['Sticky & blue..', 'x'].",
  );
  assert.equal(minionerecText(item({ title: "Tape" })), "Tape. .");
  assert.equal(
    minionerecText(item({ title: "Tape", description: "y".repeat(1998) })),
    `Tape. ${"y".repeat(1998)}.`,
  );
  assert.equal(minionerecText(item({ title: "Tape", description: "y".repeat(1999) })), "Tape.");
});

const industrial = realData("minionerec-industrial");
Deno.test({
  name: "of Industrial's 3686 items, MiniOneRec's texts lose 98 descriptions and ours none",
  ignore: industrial === undefined,
  async fn() {
    const items = await loadItems(`${industrial}/item.json`);
    const described = items.filter(({ description }) => description);
    const lost = described.filter((item) =>
      item.description!.length > 1500 && minionerecText(item).length < item.description!.length / 2
    );
    assert.deepEqual([items.length, lost.length], [3686, 98]);
    for (const item of described) {
      const text = itemText(item, { fields: ["title", "description"], maxCharacters: 4000 });
      assert.ok(
        text.length > cleanText(item.title).length + 1 || cleanText(item.description!) === "",
        item.title,
      );
      assert.doesNotMatch(text, /\. \['/, "a printed list");
    }
  },
});
