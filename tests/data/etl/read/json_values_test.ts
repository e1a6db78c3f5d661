import assert from "node:assert/strict";
import { JsonReader } from "../../../../data/etl/read/json_values.ts";
import fc from "../../../property.ts";

/** Objects as `line: json` and faults as `line! fault`. */
function read(text: string): string[] {
  const found: string[] = [];
  const reader = new JsonReader(({ line, json, fault }) => {
    found.push(fault === undefined ? `${line}: ${json}` : `${line}! ${fault}`);
  });
  for (const line of text.split("\n")) reader.push(line);
  reader.end();
  return found;
}

Deno.test("JsonReader reads lines, Python dicts, lists and objects over lines, digits as they are", () => {
  assert.deepEqual(read("{\"id\":12345678901234567890123}\n\n{'id': u'A', 'n': 9007199254740993}\n"), [
    '1: {"id":12345678901234567890123}',
    '3: {"id":"A","n":9007199254740993}',
  ]);
  assert.deepEqual(read('[\n{"a":1},\n{"a":[2,"]"]}\n]\n'), ['2: {"a":1}', '3: {"a":[2,"]"]}']);
  assert.deepEqual(read('[{"a":1},{"a":2}]'), ['1: {"a":1}', '1: {"a":2}']);
  assert.deepEqual(read('{\n "a": 1,\n "b": {"c": 2}\n}\n{\n "a": 3\n}'), [
    '1: {  "a": 1,  "b": {"c": 2} }',
    '5: {  "a": 3 }',
  ]);
});

Deno.test("JsonReader names the line and the fault of what is no object", () => {
  assert.deepEqual(read('{"a":1}\n{"a":"x\n[1, 2]\n7\n{"t":"ok \\ud83d end"}\n{"t":"\\ud83d\\ude00"}'), [
    '1: {"a":1}',
    "2! no JSON (Unterminated string in JSON at position 7)",
    "3! a JSON list, expected one object a line",
    "4! no JSON object",
    "5! half a surrogate pair in t",
    '6: {"t":"\\ud83d\\ude00"}',
  ]);
  assert.deepEqual(
    read('[\n{"a":1},\n{"a":').at(-1),
    "3! an object that is not closed to the end of the file",
  );
});

Deno.test("JsonReader finds the same objects however they are laid out", () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(fc.property(objects, (values) => {
    const layouts = [
      values.map((value) => JSON.stringify(value)).join("\n"),
      JSON.stringify(values),
      JSON.stringify(values, null, 1),
      values.map((value) => JSON.stringify(value, null, 2)).join("\n"),
    ];
    for (const layout of layouts) {
      const found = read(layout).map((row) => JSON.parse(row.replace(/^\d+: /, "")));
      assert.deepEqual(found, JSON.parse(JSON.stringify(values)), layout);
    }
  }));
});
