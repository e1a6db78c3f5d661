import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parseDecoderConfig, readDecoderConfig, writeDecoderConfig } from "../../models/config.ts";

/** The least that a Qwen2 file holds. */
const qwen2 = {
  model_type: "qwen2",
  vocab_size: 61,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};

Deno.test("parseDecoderConfig() fills in what a file may leave out", () => {
  const config = parseDecoderConfig(qwen2);
  assert.equal(config.head_dim, 8);
  assert.equal(config.num_key_value_heads, 4);
  assert.equal(config.rope_theta, 10000);
  assert.equal(config.attention_bias, true);
  assert.equal(config.eos_token_id, null);
  assert.deepEqual(config.architectures, ["Qwen2ForCausalLM"]);
  assert.equal(parseDecoderConfig({ ...qwen2, model_type: "qwen3" }).attention_bias, false);
});

Deno.test("parseDecoderConfig() reads rope_theta in the old and in the new place", () => {
  assert.equal(parseDecoderConfig({ ...qwen2, rope_theta: 1e6 }).rope_theta, 1e6);
  const rope_parameters = { rope_theta: 5e5, rope_type: "default" };
  assert.equal(parseDecoderConfig({ ...qwen2, rope_parameters }).rope_theta, 5e5);
  assert.throws(
    () => parseDecoderConfig({ ...qwen2, rope_theta: 1e6, rope_parameters }),
    /rope_theta is 1000000 but/,
  );
});

Deno.test("writeDecoderConfig() keeps unknown keys and is read back unchanged", () => {
  const config = parseDecoderConfig({ ...qwen2, head_dim: 16, max_window_layers: 28, rope_theta: 1e6 });
  const text = writeDecoderConfig(config);
  assert.equal(JSON.parse(text).max_window_layers, 28);
  assert.deepEqual(JSON.parse(text).rope_parameters, { rope_theta: 1e6, rope_type: "default" });
  assert.deepEqual(readDecoderConfig(text), config);
});

Deno.test("parseDecoderConfig() names every impossible field, what it is and what it should be", () => {
  const refuse = (change: object, message: RegExp) =>
    assert.throws(() => parseDecoderConfig({ ...qwen2, ...change }, "m/config.json"), (error: Error) => {
      assert.match(error.message, /^Cannot use m\/config\.json: /);
      assert.match(error.message, message);
      return true;
    });
  refuse({ vocab_size: 0 }, /field vocab_size is 0: /);
  refuse({ hidden_size: undefined }, /field hidden_size is undefined: .*expected/);
  refuse({ model_type: "bert" }, /field model_type is "bert": .*"qwen2"\|"qwen3"/);
  refuse({ hidden_act: "gelu" }, /field hidden_act is "gelu"/);
  refuse({ num_key_value_heads: 3 }, /num_key_value_heads is 3, expected a divisor of num_attention_heads 4/);
  refuse({ hidden_size: 34 }, /hidden_size is 34, expected a multiple of num_attention_heads 4/);
  refuse({ head_dim: 7 }, /head_dim is 7, expected an even number/);
  refuse({ eos_token_id: [1, 61] }, /eos_token_id is 61, expected less than vocab_size 61/);
  refuse({ rope_scaling: { type: "yarn", factor: 4 } }, /rope_scaling has type "yarn", only "default"/);
  refuse({ rope_parameters: { rope_type: "linear" } }, /rope_parameters has type "linear"/);
  refuse({ attention_bias: false }, /attention_bias is false, but qwen2/);
  refuse({ model_type: "qwen3", attention_bias: true }, /attention_bias is true/);
  refuse({ use_sliding_window: true }, /sliding-window attention/);
  refuse({ vocab_size: -1, hidden_size: "x" }, /vocab_size is -1.*hidden_size is "x"/);
});

Deno.test("readDecoderConfig() says that a text is no JSON", () => {
  assert.throws(() => readDecoderConfig("{", "c.json"), /Cannot read c\.json: not JSON/);
});

for (const [model, head_dim, rope_theta] of [["qwen2", 8, 1e4], ["qwen3", 16, 1e6]] as const) {
  Deno.test(`readDecoderConfig() reads what save_pretrained wrote for ${model}`, async () => {
    const text = await readFile(new URL(`../golden/${model}/config.json`, import.meta.url), "utf8");
    const config = readDecoderConfig(text);
    assert.equal(config.model_type, model);
    assert.equal(config.head_dim, head_dim);
    assert.equal(config.rope_theta, rope_theta);
    assert.equal(config.tie_word_embeddings, model === "qwen2");
    assert.equal(config.attention_bias, model === "qwen2");
    const { architectures, rope_parameters, layer_types } = JSON.parse(text);
    const written = JSON.parse(writeDecoderConfig(config));
    assert.deepEqual(written.architectures, architectures);
    assert.deepEqual(written.rope_parameters, rope_parameters);
    assert.deepEqual(written.layer_types, layer_types);
  });
}
