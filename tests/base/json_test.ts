import { strictEqual } from "node:assert/strict";
import { escapeNonAscii } from "../../base/json.ts";
import golden from "../golden/formats/python_text.json" with { type: "json" };

Deno.test("escapeNonAscii() escapes as Python's json does", () => {
  const spaced = `[${golden.texts.map((text) => JSON.stringify(text)).join(", ")}]`;
  strictEqual(escapeNonAscii(spaced), golden.json);
});
