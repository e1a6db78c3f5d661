import assert from "node:assert/strict";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import {
  chatTemplateOf,
  formatTokenizerConfig,
  parseTokenizerConfig,
  sidTokenIds,
  specialTokens,
} from "../../../models/tokenizer/config.ts";

const read = async (family: string) =>
  new Tokenizer(
    await Deno.readFile(
      new URL(`../../golden/embedding/${family}_embedding/tokenizer.json`, import.meta.url),
    ),
  );
const end = "<|endoftext|>";

Deno.test("roles of tokens come from tokenizer_config.json, then from config.json", async () => {
  const tokenizer = (await read("qwen2")).withTokens(["[BOS]", "[PAD]"]);
  const [eos, bos, pad] = [end, "[BOS]", "[PAD]"].map((token) => tokenizer.idOf(token)!);
  assert.deepEqual(specialTokens(tokenizer, { eos_token: end }), { eos, pad: eos });
  assert.deepEqual(specialTokens(tokenizer, {}, { eos_token_id: [eos, 5], pad_token_id: pad }), { eos, pad });
  const named = parseTokenizerConfig('{"eos_token": {"content": "<|endoftext|>"}, "pad_token": "[PAD]"}');
  assert.deepEqual(specialTokens(tokenizer, named), { eos, pad });
  // A BOS that the tokenizer itself does not put before a text is none.
  assert.deepEqual(specialTokens(tokenizer, { ...named, bos_token: "[BOS]" }), { eos, pad });
  assert.deepEqual(specialTokens(tokenizer, { ...named, bos_token: "[BOS]", add_bos_token: true }), {
    bos,
    eos,
    pad,
  });
});

Deno.test("a tokenizer without an end of text, or without a token that is named, is refused", async () => {
  const tokenizer = await read("qwen2");
  assert.throws(() => specialTokens(tokenizer), { name: "UserError", message: /no end of text.*eos_token/ });
  assert.throws(() => specialTokens(tokenizer, {}, { eos_token_id: 900 }), { name: "UserError" });
  assert.throws(() => specialTokens(tokenizer, { eos_token: "<end>" }), {
    name: "UserError",
    message: /calls <end> its eos_token, but tokenizer.json has no such token/,
  });
  assert.throws(() => parseTokenizerConfig('{"eos_token": 3}', "m/tokenizer_config.json"), {
    name: "UserError",
    message: /m\/tokenizer_config.json at \["eos_token"\]/,
  });
});

Deno.test("an index whose tokens the tokenizer lacks is refused, the first of them named", async () => {
  const tokenizer = (await read("qwen2")).withTokens(["<a_1>", "<b_2>"]);
  const first = tokenizer.vocabulary - 2;
  assert.deepEqual(sidTokenIds(tokenizer, [["<a_1>", "<b_2>"]]), [Uint32Array.of(first, first + 1)]);
  assert.throws(() => sidTokenIds(tokenizer, [["<a_1>", "<b_3>"], ["<a_9>", "<b_2>"], ["<a_8>", "<b_7>"]]), {
    name: "UserError",
    message: /its tokenizer lacks 4 of the index's tokens \(<a_8>, <a_9>, <b_3>, …\)/,
  });
});

Deno.test("tokenizer_config.json lists every added token and keeps its other fields", async () => {
  const tokenizer = (await read("qwen2")).withTokens(["<a_1>"]);
  const config = parseTokenizerConfig('{"eos_token": "<|endoftext|>", "model_max_length": 77}');
  const written = JSON.parse(formatTokenizerConfig(tokenizer, config));
  assert.equal(written.model_max_length, 77);
  assert.equal(written.added_tokens_decoder[tokenizer.vocabulary - 1].content, "<a_1>");
  assert.equal(written.added_tokens_decoder[tokenizer.vocabulary - 1].special, false);
  assert.equal(written.added_tokens_decoder[tokenizer.idOf(end)!].special, true);
});

Deno.test("of several chat templates the default one counts", () => {
  assert.equal(chatTemplateOf({}), undefined);
  assert.equal(chatTemplateOf({ chat_template: "{{ x }}" }), "{{ x }}");
  const list = [{ name: "tools", template: "a" }, { name: "default", template: "b" }];
  assert.equal(chatTemplateOf({ chat_template: list }), "b");
});
