import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parseDecoderConfig, readDecoderConfig, writeDecoderConfig } from "../../../models/decoder/config.ts";

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
  const llama = parseDecoderConfig({ ...qwen2, model_type: "llama" });
  assert.deepEqual([llama.attention_bias, llama.mlp_bias, llama.max_position_embeddings], [
    false,
    false,
    2048,
  ]);
  assert.deepEqual(llama.architectures, ["LlamaForCausalLM"]);
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

Deno.test("writeDecoderConfig() states the number format of the shards, not the one that was read", () => {
  const config = parseDecoderConfig({ ...qwen2, dtype: "bfloat16", torch_dtype: "bfloat16" });
  for (const [stored, dtype] of [[undefined, "float32"], ["F16", "float16"], ["BF16", "bfloat16"]] as const) {
    const written = JSON.parse(writeDecoderConfig(config, stored));
    assert.deepEqual([written.dtype, written.torch_dtype], [dtype, dtype]);
  }
});

const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32, truncate: false } as const;

Deno.test("parseDecoderConfig() reads rope scaling from transformers 4 and 5, and it is written for both", () => {
  const old = parseDecoderConfig({ ...qwen2, rope_theta: 1e6, rope_scaling: { type: "linear", factor: 2 } });
  assert.deepEqual(old.rope_scaling, { rope_type: "linear", factor: 2 });
  const config = parseDecoderConfig({ ...qwen2, rope_parameters: { ...yarn, rope_theta: 5e5 } });
  assert.equal(config.rope_theta, 5e5);
  assert.deepEqual(config.rope_scaling, yarn);
  const text = writeDecoderConfig(config);
  assert.match(text, /"factor": 4\.0,/);
  assert.match(text, /"original_max_position_embeddings": 32,/);
  const { rope_theta, rope_scaling, rope_parameters } = JSON.parse(text);
  assert.equal(rope_theta, 5e5);
  assert.deepEqual(rope_scaling, yarn);
  assert.deepEqual(rope_parameters, { ...yarn, rope_theta: 5e5 });
  assert.deepEqual(readDecoderConfig(text), config);
  assert.equal(parseDecoderConfig({ ...qwen2, rope_scaling: { type: "default" } }).rope_scaling, null);
});

Deno.test("parseDecoderConfig() names rotary settings that cannot be used", () => {
  const refuse = (change: object, message: RegExp) =>
    assert.throws(() => parseDecoderConfig({ ...qwen2, ...change }), { name: "UserError", message });
  refuse(
    { rope_scaling: { type: "longrope", factor: 4 } },
    /rope_scaling has type "longrope", supported are default, linear, dynamic, llama3, yarn\. Remove/,
  );
  refuse(
    { rope_parameters: { rope_type: "linear" } },
    /rope_parameters\.factor is undefined for type linear/,
  );
  refuse({ rope_scaling: { ...yarn, factor: 0.5 } }, /rope_scaling\.factor is 0\.5 for type yarn/);
  const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4 };
  refuse({ rope_scaling: llama3 }, /high_freq_factor is 4, expected more than low_freq_factor 4/);
  refuse({ rope_scaling: yarn, rope_parameters: { ...yarn, factor: 8 } }, /ask for different scalings/);
  refuse({ rope_parameters: { full_attention: yarn } }, /rope_parameters\.full_attention is an object/);
  refuse(
    { rope_parameters: { rope_theta: 0 } },
    /rope_parameters\.rope_theta is 0, expected a positive number/,
  );
  refuse({ partial_rotary_factor: 0.5 }, /partial_rotary_factor is 0\.5, only heads that are rotated whole/);
  refuse({ rope_scaling: { ...yarn, partial_rotary_factor: 0.5 } }, /rope_scaling\.partial_rotary_factor is/);
  refuse({ rope_scaling: yarn, original_max_position_embeddings: 32 }, /is outside of rope_parameters/);
});

Deno.test("parseDecoderConfig() names every impossible field, what it is and what it should be", () => {
  const refuse = (change: object, message: RegExp) =>
    assert.throws(() => parseDecoderConfig({ ...qwen2, ...change }, "m/config.json"), (error: Error) => {
      assert.match(error.message, /^Cannot use m\/config\.json: /);
      assert.match(error.message, message);
      return true;
    });
  refuse({ vocab_size: 0 }, /field vocab_size is 0: /);
  // A loop over so many would not end.
  refuse({ num_hidden_layers: 1e9 }, /field num_hidden_layers is 1000000000: .*<=1000/);
  refuse({ hidden_size: undefined }, /field hidden_size is undefined: .*expected/);
  refuse({ model_type: "bert" }, /field model_type is "bert": .*"llama"\|"qwen2"\|"qwen3"/);
  refuse({ hidden_act: "gelu" }, /field hidden_act is "gelu"/);
  refuse({ num_key_value_heads: 3 }, /num_key_value_heads is 3, expected a divisor of num_attention_heads 4/);
  refuse({ hidden_size: 34 }, /hidden_size is 34, expected a multiple of num_attention_heads 4/);
  refuse({ head_dim: 7 }, /head_dim is 7, expected an even number/);
  refuse({ eos_token_id: [1, 61] }, /eos_token_id is 61, expected less than vocab_size 61/);
  refuse({ attention_bias: false }, /attention_bias is false, but qwen2/);
  refuse({ mlp_bias: true }, /mlp_bias is true, but qwen2 never has/);
  refuse({ quantization_config: { bits: 4 } }, /quantization_config is set, only weights in float32/);
  refuse({ use_sliding_window: true }, /sliding-window attention/);
  refuse({ vocab_size: -1, hidden_size: "x" }, /vocab_size is -1.*hidden_size is "x"/);
});

Deno.test("readDecoderConfig() says that a text is no JSON", () => {
  assert.throws(() => readDecoderConfig("{", "c.json"), /Cannot read c\.json: not JSON/);
});

for (const [model, head_dim, rope_theta] of [["qwen2", 8, 1e4], ["qwen3", 16, 1e6]] as const) {
  Deno.test(`readDecoderConfig() reads what save_pretrained wrote for ${model}`, async () => {
    const text = await readFile(
      new URL(`../../golden/decoder/${model}/config.json`, import.meta.url),
      "utf8",
    );
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

Deno.test("an id of -1 is none, as in LLaMA 1's config.json, and a list of ends without ids too", () => {
  const ids = (fields: object) => {
    const { bos_token_id, eos_token_id, pad_token_id } = parseDecoderConfig({ ...qwen2, ...fields });
    return [bos_token_id, eos_token_id, pad_token_id];
  };
  assert.deepEqual(ids({ bos_token_id: 1, eos_token_id: 2, pad_token_id: -1 }), [1, 2, null]);
  assert.deepEqual(ids({ bos_token_id: -1, eos_token_id: [-1, 3], pad_token_id: 0 }), [null, [3], 0]);
  assert.deepEqual(ids({ bos_token_id: null, eos_token_id: [], pad_token_id: null }), [null, null, null]);
  assert.throws(() => ids({ pad_token_id: -2 }), { name: "UserError", message: /pad_token_id is -2/ });
});
