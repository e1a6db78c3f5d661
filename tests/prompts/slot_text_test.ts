import assert from "node:assert/strict";
import { fillSlots, parseSlotText } from "../../prompts/slot_text.ts";
import fc from "../property.ts";

Deno.test("what goes into a place is taken literally, and double braces are single ones", () => {
  const text = parseSlotText("{{{history}}} of {user}", ["history", "user"], "t");
  assert.equal(fillSlots(text, (slot) => `<${slot} {x} $&>`), "{<history {x} $&>} of <user {x} $&>");
});

Deno.test("any text without braces is itself", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const escaped = text.replaceAll("{", "{{").replaceAll("}", "}}");
    assert.equal(fillSlots(parseSlotText(escaped, [], "t"), () => "!"), text);
  }));
});

Deno.test("unknown places and lone braces are errors that list the places", () => {
  for (const text of ["{sid}", "a { b", "a } b", "{}"]) {
    assert.throws(() => parseSlotText(text, ["history", "user"], "prompts p.yaml, tasks.x.input"), {
      name: "UserError",
      message: /^Cannot read prompts p\.yaml, tasks\.x\.input: found ".*expected \{history\}, \{user\}/,
    });
  }
});
