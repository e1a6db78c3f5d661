import assert from "node:assert/strict";
import {
  cleanJoined,
  cleanList,
  cleanTitle,
  printedDescription,
  type TitleRules,
  withoutHtml,
} from "../../../../data/etl/read/clean_text.ts";
import { parseStringCell } from "../../../../data/formats/list_cell.ts";

const strict: TitleRules = { filter: "strict", maxWords: 20, twoEntities: false };

Deno.test("withoutHtml() drops tags, decodes entities and makes white space one space", () => {
  assert.equal(withoutHtml(" Tom&#39;s  <b>Big</b>\tTape&nbsp;&amp;<br/>Glue\n"), "Tom's Big Tape & Glue");
  assert.equal(withoutHtml("<style>p { x }</style>a<!-- b -->c <script>d()</script>"), "a c");
});

Deno.test("withoutHtml() leaves what is no HTML", () => {
  assert.equal(
    withoutHtml("2 < 3 & 5 > 4, AT&T, &copy 1, H<sub>2</sub>O"),
    "2 < 3 & 5 > 4, AT&T, &copy 1, H2O",
  );
  // Escaped tags are text about tags.
  assert.equal(withoutHtml("&lt;b&gt; tag"), "<b> tag");
});

Deno.test("cleanTitle() under strict leaves out page code, one character and over 20 words", () => {
  const words = (count: number) => Array(count).fill("w").join(" ");
  assert.equal(cleanTitle(words(20), strict), words(20));
  assert.equal(cleanTitle(words(21), strict), null);
  assert.equal(cleanTitle(words(21), { ...strict, maxWords: 21 }), words(21));
  assert.equal(cleanTitle('<span id="productTitle">Tape', strict), null);
  assert.equal(cleanTitle("T", strict), null);
  assert.equal(cleanTitle('"  Tape "', strict), "Tape");
  assert.equal(cleanTitle("", strict), null);
});

Deno.test("cleanTitle() under nonempty and off asks for some text alone", () => {
  for (const filter of ["nonempty", "off"] as const) {
    assert.equal(cleanTitle("T", { ...strict, filter }), "T");
    assert.equal(cleanTitle(" <p> </p> ", { ...strict, filter }), null);
  }
});

Deno.test("cleanTitle() with two entities decodes those alone and keeps tags and white space", () => {
  const parity = { ...strict, twoEntities: true };
  assert.equal(cleanTitle(' "A &amp; B&quot;s &eacute;\t<b>x</b>" ', parity), 'A & B"s &eacute;\t<b>x</b>');
});

Deno.test("cleanJoined() joins the parts of lists and passes texts", () => {
  assert.equal(cleanJoined('["Sticky.", "", "Blue\\n tape"]'), "Sticky. Blue tape");
  assert.equal(cleanJoined('"Blue [tape]"'), "Blue [tape]");
  assert.equal(cleanJoined("no JSON"), "no JSON");
  for (const empty of [null, "null", "[]", '""', '["<br>"]', '{"a":1}']) {
    assert.equal(cleanJoined(empty), null);
  }
});

Deno.test("cleanList() flattens categories and drops page code", () => {
  assert.equal(cleanList('[["Tools & Home", "Tape"], ["x</span></span>", " "]]'), '["Tools & Home","Tape"]');
  assert.equal(cleanList(null), "[]");
});

Deno.test("printedDescription() prints a list that the reader of old files reads back", () => {
  const texts = ["it's", 'a "b"', `both ' and "`, "back\\slash"];
  const printed = printedDescription(JSON.stringify(texts))!;
  assert.equal(printed, `["it's", 'a "b"', 'both \\' and "', 'back\\\\slash']`);
  assert.deepEqual(parseStringCell(printed), texts);
  assert.equal(printedDescription('"<b>one</b> text"'), "one text");
});
