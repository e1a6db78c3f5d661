import assert from "node:assert/strict";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { trimTokenizer } from "../../../models/tokenizer/trim.ts";
import { realData } from "../../data/downloaded.ts";
import fc from "../../property.ts";

const TEXTS = [
  "Stainless steel hex bolt, 3/8 inch",
  " hex nut\n",
  "Crème brûlée torch — 1300 °C",
  "<a_1><b_3>",
];
const tinyJson = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/embedding/qwen2_embedding/tokenizer.json", import.meta.url)),
);
const tokenizerOf = (json: unknown) => new Tokenizer(new TextEncoder().encode(JSON.stringify(json)));

/** Counted texts keep their tokens, and any text comes back. */
function check(whole: Tokenizer, texts: readonly string[]) {
  const { tokenizer, kept } = trimTokenizer(whole, texts);
  assert.equal(kept.length, tokenizer.vocabulary);
  for (const text of texts) {
    assert.deepEqual(Array.from(tokenizer.encode(text), (id) => kept[id]), [...whole.encode(text)], text);
  }
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
    assert.equal(tokenizer.decode(tokenizer.encode(text), true), text.normalize("NFC"));
  }));
  return tokenizer;
}

Deno.test("trimTokenizer() keeps what texts need, all bytes and all added tokens", () => {
  const whole = tokenizerOf(tinyJson).withTokens(["<a_1>", "<b_3>"]);
  const trimmed = check(whole, TEXTS);
  assert.ok(trimmed.vocabulary < whole.vocabulary);
  assert.equal(trimmed.idOf("<b_3>"), trimmed.vocabulary - 1);
  const none = trimTokenizer(whole, []).tokenizer;
  assert.equal(none.vocabulary, 256 + tinyJson.added_tokens.length + 2);
});

Deno.test("any texts of a trimmed tokenizer encode to the tokens they had", () => {
  const whole = tokenizerOf(tinyJson);
  const words = fc.array(fc.constantFrom("steel", " hex", "bolt", " inch", "es", " ", "\n", "less", "ü"), {
    maxLength: 9,
  });
  fc.assert(
    fc.property(words, (pieces) => {
      const text = pieces.join("");
      const { tokenizer, kept } = trimTokenizer(whole, [text]);
      assert.deepEqual(Array.from(tokenizer.encode(text), (id) => kept[id]), [...whole.encode(text)]);
    }),
    { numRuns: 30 },
  );
});

Deno.test("a trimmed tokenizer puts the same tokens around a text", () => {
  const end = { id: "<|endoftext|>", type_id: 0 };
  const whole = tokenizerOf({
    ...tinyJson,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: end }],
      pair: [],
      special_tokens: {
        "<|endoftext|>": {
          id: "<|endoftext|>",
          ids: [tinyJson.added_tokens[0].id],
          tokens: ["<|endoftext|>"],
        },
      },
    },
  });
  const { tokenizer, kept } = trimTokenizer(whole, TEXTS);
  assert.deepEqual(tokenizer.suffix.map((id) => kept[id]), whole.suffix);
  assert.equal(whole.suffix.length, 1);
});

const qwen = realData("qwen2.5-tokenizer");
Deno.test({
  name: "Qwen2.5 trimmed to some texts is some hundred tokens instead of 151,665",
  ignore: qwen === undefined,
  async fn() {
    const trimmed = check(new Tokenizer(await Deno.readFile(`${qwen}/tokenizer.json`)), TEXTS);
    assert.ok(trimmed.vocabulary < 400, String(trimmed.vocabulary));
    assert.ok(trimmed.idOf("<|im_end|>")! >= 256);
  },
});

Deno.test("tokenizers of other kinds are refused", () => {
  const model = { type: "WordPiece", unk_token: "[UNK]", vocab: { "[UNK]": 0, a: 1 } };
  assert.throws(() => trimTokenizer(tokenizerOf({ ...tinyJson, added_tokens: [], model }), []), {
    name: "UserError",
    message: /Cannot trim this tokenizer: it is of type WordPiece, expected byte pairs/,
  });
});
