import assert from "node:assert/strict";
import { listToJson, literalToJson } from "../../../../data/etl/read/python_literal.ts";
import fc from "../../../property.ts";

/** A value as Python prints it. */
function print(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return `[${value.map(print).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value!).map(([key, inner]) => `${print(key)}: ${print(inner)}`).join(", ")}}`;
  }
  const text = String(value).replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
}

Deno.test("literalToJson() reads a line of the Amazon 2014 metadata", () => {
  const line =
    `{'asin': '0001', 'title': "Tom's Tape", 'price': 12.5, 'related': {'also_bought': ['a', u'b']}, ` +
    `'categories': [['Tools', 'Tape']], 'x': (1, 2,), 'y': None, 'z': True}`;
  assert.deepEqual(JSON.parse(literalToJson(line)!), {
    asin: "0001",
    title: "Tom's Tape",
    price: 12.5,
    related: { also_bought: ["a", "b"] },
    categories: [["Tools", "Tape"]],
    x: [1, 2],
    y: null,
    z: true,
  });
});

Deno.test("literalToJson() takes what is no number for nothing, in Python's dicts and in its JSON", () => {
  for (const line of ["{'a': nan, 'b': [-inf, True]}", '{"a": NaN, "b": [-Infinity, true]}']) {
    assert.equal(literalToJson(line), '{"a":null,"b":[null,true]}');
  }
  assert.equal(literalToJson("{'a': nano}"), null);
});

Deno.test("literalToJson() decodes Python's escapes and keeps unknown ones", () => {
  assert.equal(
    JSON.parse(literalToJson(String.raw`'\x41\u00e9\U0001F600\t\'\d'`)!),
    "A\u00e9\u{1F600}\t'\\d",
  );
});

Deno.test("literalToJson() passes JSON and refuses what is neither", () => {
  assert.equal(literalToJson('{"a": [1, true, null]}'), '{"a": [1, true, null]}');
  for (const wrong of ["", "{'a': }", "{'a': 1", "__import__('os')", "'a' 'b'", "{'a': Truely}"]) {
    assert.equal(literalToJson(wrong), null, wrong);
  }
});

Deno.test("literalToJson() reads every value back that Python prints", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assert.deepEqual(JSON.parse(literalToJson(print(value))!), JSON.parse(JSON.stringify(value)));
  }));
});

Deno.test("listToJson() reads the prints of Python, NumPy and JSON, and leaves other texts", () => {
  const wanted = '["A b","it\'s"]';
  for (const text of [`['A b', "it's"]`, `['A b' "it's"]`, `['A b'\n "it's"]`, '["A b", "it\'s"]']) {
    assert.deepEqual(JSON.parse(listToJson(text)), JSON.parse(wanted), text);
  }
  assert.deepEqual(JSON.parse(listToJson("['A']")), ["A"]);
  assert.equal(listToJson("[Tape] and ]"), '"[Tape] and ]"');
});
