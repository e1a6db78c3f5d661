import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import {
  formatListCell,
  parseIntegerCell,
  parseListCell,
  parseStringCell,
} from "../../../data/formats/list_cell.ts";
import golden from "../../golden/formats/python_text.json" with { type: "json" };
import fc from "../../property.ts";

Deno.test("formatListCell() prints as Python does", () => {
  strictEqual(formatListCell(golden.texts), golden.list);
  strictEqual(formatListCell([117, -3]), "[117, -3]");
});

Deno.test("parseListCell() reads integers and both kinds of quotes", () => {
  deepStrictEqual(parseListCell("[]"), []);
  deepStrictEqual(parseListCell("[117]"), [117]);
  deepStrictEqual(parseListCell("[1,2, -3]"), [1, 2, -3]);
  deepStrictEqual(parseListCell(`['Blue Tape 2 in', "Bob's Clamp"]`), ["Blue Tape 2 in", "Bob's Clamp"]);
});

Deno.test("parseListCell() reads every escape of the grammar", () => {
  deepStrictEqual(
    parseListCell(String.raw`['\\ \' \" \n\t\r \x41 \u00e9 \U0001F600']`),
    [`\\ ' " \n\t\r A é 😀`],
  );
});

Deno.test("parseListCell() gives back any list of strings that Python would print", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("'", '"', "\\", ",", " ", "[", "]", "é", "漢", "😀", "\n", "a") }),
  );
  fc.assert(fc.property(fc.array(text), (list) => {
    deepStrictEqual(parseStringCell(formatListCell(list)), list);
  }));
});

Deno.test("parseListCell() gives back any list of integers", () => {
  fc.assert(fc.property(fc.array(fc.integer()), (list) => {
    deepStrictEqual(parseIntegerCell(`[${list.join(", ")}]`), list);
  }));
});

Deno.test("parseListCell() refuses every cut of a list but the whole", () => {
  const cell = `['a, b', "c'd", '\\x41', 12]`;
  for (let length = 0; length < cell.length; length++) {
    throws(() => parseListCell(cell.slice(0, length)), SyntaxError, cell.slice(0, length));
  }
});

Deno.test("parseListCell() refuses what the grammar does not have and says where", () => {
  const cases: [string, RegExp][] = [
    ["1, 2", /no opening \[ at character 1/],
    ["[1, 2", /no comma or closing \] at character 6/],
    ["[1, 2] ", /text after the list at character 7/],
    ["[1,  2]", /no integer or quoted string at character 5/],
    ["[1,]", /no integer or quoted string at character 4/],
    ["[01]", /no comma or closing \]/],
    ["[1.5]", /no comma or closing \]/],
    ["[__import__('os')]", /no integer or quoted string/],
    [`['a' 'b']`, /no comma or closing \]/],
    [`['a`, /no closing '/],
    [`['\\q']`, /unknown escape/],
    [`['\\x4']`, /unknown escape/],
    [`['\\UFFFFFFFF']`, /escape beyond Unicode/],
    [`['a\nb']`, /line end inside a string/],
    ["[99999999999999999999]", /integer too large/],
  ];
  for (const [cell, message] of cases) throws(() => parseListCell(cell), message, cell);
});

Deno.test("parseIntegerCell() and parseStringCell() refuse mixed lists", () => {
  throws(() => parseIntegerCell("[1, 'a']"), /string among integers/);
  throws(() => parseStringCell("[1, 'a']"), /integer among strings/);
});
