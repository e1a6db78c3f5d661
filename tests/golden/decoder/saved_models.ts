import { fileURLToPath } from "node:url";
import { diskFiles } from "../../../base/files/disk.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { type DecoderConfig, parseDecoderConfig } from "../../../models/decoder/config.ts";
import { blockSpecs, EMBEDDING, HEAD } from "../../../models/decoder/blocks.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import { type ModelFile, Pretrained } from "../../../models/hugging_face/pretrained.ts";
import type { TensorShape } from "../../../models/safetensors/safetensors.ts";
import { savePretrained, type SavePretrainedOptions } from "../../../models/hugging_face/save_pretrained.ts";

const SMALL = {
  vocab_size: 300,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 128,
  bos_token_id: 1,
  eos_token_id: 0,
};

/** Decoders as `savePretrained()` stores them: every architecture, number format and number of files. */
export const savedModels: Record<string, { config: object; options: SavePretrainedOptions }> = {
  qwen2: {
    config: {
      ...SMALL,
      model_type: "qwen2",
      tie_word_embeddings: true,
      rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32, beta_fast: 4 },
      torch_dtype: "bfloat16",
    },
    options: { dtype: "F16", maxShardSize: 5000 },
  },
  qwen3: {
    config: { ...SMALL, model_type: "qwen3", head_dim: 24, rope_theta: 1e6 },
    options: { dtype: "BF16" },
  },
  llama: {
    config: {
      ...SMALL,
      model_type: "llama",
      attention_bias: true,
      mlp_bias: true,
      rope_parameters: {
        rope_type: "llama3",
        rope_theta: 5e5,
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
    },
    options: { maxShardSize: 25_000 },
  },
};

/** Prompts whose last logits are compared. */
export const prompts = [[5], [17, 250, 31, 8, 8, 102, 44], Array.from({ length: 40 }, (_, at) => 3 + at * 7)];

/** Files of one of {@link savedModels}, with the tokenizer of `qwen2_embedding/`. */
export async function saveModel(name: string): Promise<ModelFile[]> {
  const config = parseDecoderConfig(savedModels[name].config);
  const tokenizer = await Pretrained.open(
    fileURLToPath(new URL("../embedding/qwen2_embedding", import.meta.url)),
    diskFiles,
  );
  const shapes = shapesOf(config);
  const options = { ...savedModels[name].options, companions: tokenizer.companions() };
  return Array.fromAsync(savePretrained(config, shapes, randomTensors(shapes), options));
}

function shapesOf(config: DecoderConfig): TensorShape[] {
  const table = [config.vocab_size, config.hidden_size];
  const tables = [EMBEDDING, ...config.tie_word_embeddings ? [] : [HEAD]];
  return [...tables.map((name) => ({ name, shape: table })), ...blockSpecs(config).flatMap(partsOf)];
}

async function* randomTensors(shapes: TensorShape[]) {
  const next = noise(9);
  for (const { name, shape } of shapes) {
    const length = shape.reduce((a, b) => a * b);
    const data = Float32Array.from({ length }, () => 0.2 * next() + (name.includes("norm") ? 1 : 0));
    yield { name, shape, data };
  }
}
