import assert from "node:assert/strict";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { EMBEDDING, HEAD } from "../../../models/decoder/blocks.ts";
import type { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { sftConfig } from "../../../train/sft/config.ts";
import { decoderOptions } from "../../../train/sft/decoder.ts";

const architecture = parseDecoderConfig({
  model_type: "qwen3",
  vocab_size: 50,
  hidden_size: 16,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 32,
});
const scratch = { architecture };
const pretrained = { architecture, pretrained: {} as Pretrained, firstNewRow: 44, frozenRows: 40 };

Deno.test("decoderOptions() trains everything, tables alone, or adapters and rows of the index", () => {
  assert.deepEqual(decoderOptions(scratch, sftConfig()), { gradientCheckpointing: false });
  assert.deepEqual(decoderOptions(pretrained, sftConfig({ gradientCheckpointing: true })), {
    gradientCheckpointing: true,
  });

  const frozen = decoderOptions(pretrained, sftConfig({ freeze: "llm" }));
  assert.equal(frozen.frozenRows, 40);
  const names = [EMBEDDING, HEAD, "model.norm.weight", "model.layers.0.mlp.down_proj.weight"];
  assert.deepEqual(names.map((name) => frozen.trainable!(name)), [true, true, false, false]);

  const config = sftConfig({ loraR: 8, loraAlpha: 4, loraDropout: 0.2, useRslora: true });
  const { lora, frozenRows, trainable } = decoderOptions(pretrained, config);
  assert.deepEqual(lora, { r: 8, alpha: 4, dropout: 0.2, targetModules: "all", rankStabilised: true });
  assert.deepEqual([frozenRows, trainable], [40, undefined]);
  const some = decoderOptions(pretrained, { ...config, loraTargetModules: ["q_proj", "v_proj"] });
  assert.deepEqual(some.lora?.targetModules, ["q_proj", "v_proj"]);
});

Deno.test("decoderOptions() refuses to freeze what was never trained", () => {
  assert.throws(() => decoderOptions(scratch, sftConfig({ loraR: 8 })), /leave out --lora-r/);
  assert.throws(() => decoderOptions(scratch, sftConfig({ freeze: "llm" })), /leave out --freeze/);
  assert.throws(
    () => decoderOptions(pretrained, sftConfig({ freeze: "llm", loraR: 8 })),
    /Leave out one of them/,
  );
});
