import { strictEqual, throws } from "node:assert/strict";
import { z } from "zod";
import { excerpt } from "../../base/file_error.ts";
import { escapeNonAscii, parseJson, repeatedKey } from "../../base/json.ts";
import golden from "../golden/formats/python_text.json" with { type: "json" };

Deno.test("escapeNonAscii() escapes as Python's json does", () => {
  const spaced = `[${golden.texts.map((text) => JSON.stringify(text)).join(", ")}]`;
  strictEqual(escapeNonAscii(spaced), golden.json);
});

Deno.test("parseJson() and excerpt() end with words on what is nested 100,000 levels deep or holds itself", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const Nested: z.ZodType<unknown> = z.lazy(() => z.array(Nested));
  throws(() => parseJson(deep, "x.json", Nested), /UserError: Cannot read x\.json: expected less nesting/);
  throws(() => parseJson(deep, "x.json", z.string()), /UserError: Cannot read x\.json/);
  const ring: unknown[] = [];
  ring.push(ring);
  strictEqual(excerpt(ring), "a value without end, or nested too deeply");
});

Deno.test("parseJson() says what should be where a number is out of range or a key unknown", () => {
  const schema = z.strictObject({ n: z.int().min(0).max(9) });
  throws(
    () => parseJson('{"n": -1}', "x.json", schema),
    /x\.json at \["n"\]: expected number to be >=0, found -1\./,
  );
  throws(() => parseJson('{"n": 10}', "x.json", schema), /expected number to be <=9, found 10\./);
  throws(
    () => parseJson('{"n": 1, "m": 2}', "x.json", schema),
    /x\.json: expected no key m, found \{"n":1,"m":2\}/,
  );
});

Deno.test("repeatedKey() finds a key that stands twice in the object itself", () => {
  strictEqual(repeatedKey('{"a": {"b": 1}, "b": [{"a": 2}], "\\u0061": 3}'), "a");
  strictEqual(repeatedKey('{"a": {"b": 1}, "b": "a: {a"}'), undefined);
});
