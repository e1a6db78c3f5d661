import { z } from "zod";
import { blocks } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import { DECODER_SHAPES, MODEL_TYPES, type ModelType } from "./shapes/by_name.ts";
import { readRope, ropeFields, type RopeScaling, writeRope } from "./rope.ts";
import type { StoredFormat } from "../safetensors/header.ts";

/**
 * Shape of a decoder language model, in the names of Hugging Face's `config.json` for the families of `shapes/`.
 * Keys that are not listed here are kept as they were read, so that writing the file again loses nothing.
 */
export interface DecoderConfig {
  /** Family: see `DecoderShape`. */
  model_type: ModelType;
  /** Class names of Hugging Face. */
  architectures: string[];
  /** Rows of the embedding. */
  vocab_size: number;
  /** Width of the residual stream. */
  hidden_size: number;
  /** Width of the gated feed-forward layer. */
  intermediate_size: number;
  /** Blocks of attention and feed-forward. */
  num_hidden_layers: number;
  /** Heads of queries. */
  num_attention_heads: number;
  /** Heads of keys and values; divides `num_attention_heads`. */
  num_key_value_heads: number;
  /** Width of a head; even. */
  head_dim: number;
  /** Longest sequence in tokens. */
  max_position_embeddings: number;
  /** Added to the mean square before its root is taken. */
  rms_norm_eps: number;
  /** Base of the rotary wavelengths. */
  rope_theta: number;
  /** How those wavelengths are stretched; null where they are not. */
  rope_scaling: RopeScaling | null;
  /** Whether the output matrix is the input embedding. */
  tie_word_embeddings: boolean;
  /** Biases on queries, keys and values, and on the output but for families that always have the former. */
  attention_bias: boolean;
  /** Biases on the feed-forward projections, of families that may have them. */
  mlp_bias: boolean;
  /** Activation of the feed-forward gate. */
  hidden_act: "silu";
  /** Standard deviation of freshly made weights. */
  initializer_range: number;
  /** Id that starts a text. */
  bos_token_id: number | null;
  /** One id, or several that all end a text. */
  eos_token_id: number | number[] | null;
  /** Id that fills unused positions. */
  pad_token_id: number | null;
}

const size = z.int().min(1);
// -1 is "none", as in LLaMA 1's config.json.
const tokenId = z.int().min(-1).transform((id) => id === -1 ? null : id).nullable();
const tokenIds = z.array(z.int().min(-1)).transform((ids) => {
  const some = ids.filter((id) => id !== -1);
  return some.length > 0 ? some : null;
});
const HuggingFaceConfig = z.looseObject({
  model_type: z.enum(MODEL_TYPES),
  architectures: z.array(z.string()).nullish(),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: blocks(),
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  max_position_embeddings: size.optional(),
  rms_norm_eps: z.number().positive().default(1e-6),
  ...ropeFields,
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  initializer_range: z.number().positive().default(0.02),
  use_sliding_window: z.boolean().optional(),
  layer_types: z.array(z.string()).nullish(),
  is_causal: z.boolean().optional(),
  bos_token_id: tokenId.default(null),
  eos_token_id: z.union([tokenId, tokenIds]).default(null),
  pad_token_id: tokenId.default(null),
});
type HuggingFaceConfig = z.output<typeof HuggingFaceConfig>;

/** Number formats in the words of transformers. */
export const DTYPES: Record<StoredFormat, string> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** What a schema has against `value`, in words: every field, what it is and what it should be. */
export function fieldProblems({ issues }: z.ZodError, value: unknown): string[] {
  return issues.map(({ path, message }) => {
    const found = path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      value,
    );
    return `field ${path.join(".") || "(whole file)"} is ${JSON.stringify(found)}: ${message}`;
  });
}

/**
 * Checks a decoder config and fills in what Hugging Face lets a file leave out. A missing `head_dim` becomes
 * `hidden_size / num_attention_heads`. `source` is the file name for messages.
 * @throws {UserError} naming every field that cannot be used, what it is and what it should be.
 */
export function parseDecoderConfig(value: unknown, source = "config.json"): DecoderConfig {
  const parsed = HuggingFaceConfig.safeParse(value);
  if (!parsed.success) {
    throw new UserError(`Cannot use ${source}: ${fieldProblems(parsed.error, value).join("; ")}`);
  }
  const config = parsed.data;
  const shape = DECODER_SHAPES[config.model_type];
  const problems = [...shapeProblems(config), ...unsupported(config)];
  const rope = readRope(config, problems);
  if (problems.length > 0) throw new UserError(`Cannot use ${source}: ${problems.join("; ")}`);
  // What says how a file stores things, not what the model is: written anew.
  const { rope_parameters: _rope, partial_rotary_factor: _whole, dtype: _dtype, torch_dtype: _old, ...rest } =
    config;
  return {
    ...rest,
    ...rope,
    architectures: config.architectures ?? [shape.architecture],
    num_key_value_heads: config.num_key_value_heads ?? config.num_attention_heads,
    head_dim: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    max_position_embeddings: config.max_position_embeddings ?? shape.maxPositions,
    attention_bias: config.attention_bias ?? shape.attentionBias === "always",
  };
}

/**
 * Reads the text of a `config.json`; see {@link parseDecoderConfig}.
 * @throws {UserError} if the text is no JSON or the config cannot be used.
 */
export function readDecoderConfig(text: string, source = "config.json"): DecoderConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`Cannot read ${source}: not JSON, ${(error as Error).message}`);
  }
  return parseDecoderConfig(value, source);
}

/** Text of a `config.json` that Hugging Face transformers (4 and 5) loads as this model; `stored` is in the shards. */
export function writeDecoderConfig(config: DecoderConfig, stored: StoredFormat = "F32"): string {
  // Both names of the format: transformers loads in what the file says, and a stale one would round the weights.
  const formats = { dtype: DTYPES[stored], torch_dtype: DTYPES[stored] };
  const text = JSON.stringify({ ...config, ...writeRope(config), ...formats }, null, 2) + "\n";
  // transformers warns where one of these is a whole number without a decimal point.
  return text.replace(/("(?:\w*factor|beta_\w+|rope_theta)": \d+)(?=,?\n)/g, "$1.0");
}

function shapeProblems(config: HuggingFaceConfig): string[] {
  const problems: string[] = [];
  const heads = config.num_attention_heads;
  const keyValueHeads = config.num_key_value_heads ?? heads;
  if (heads % keyValueHeads !== 0) {
    problems.push(
      `field num_key_value_heads is ${keyValueHeads}, expected a divisor of num_attention_heads ${heads}`,
    );
  }
  const headDim = config.head_dim ?? config.hidden_size / heads;
  if (!Number.isInteger(headDim)) {
    problems.push(
      `field hidden_size is ${config.hidden_size}, expected a multiple of num_attention_heads ${heads}`,
    );
  } else if (headDim % 2 !== 0) {
    problems.push(`field head_dim is ${headDim}, expected an even number (rotary positions turn pairs)`);
  }
  const ids = { bos_token_id: config.bos_token_id, pad_token_id: config.pad_token_id };
  const ends = [config.eos_token_id].flat().map((id) => ["eos_token_id", id] as const);
  for (const [name, id] of [...Object.entries(ids), ...ends]) {
    if (id !== null && id >= config.vocab_size) {
      problems.push(`field ${name} is ${id}, expected less than vocab_size ${config.vocab_size}`);
    }
  }
  return problems;
}

function unsupported(config: HuggingFaceConfig): string[] {
  const problems: string[] = [];
  const { attentionBias, mlpBias } = DECODER_SHAPES[config.model_type];
  if (attentionBias === "always" && config.attention_bias === false) {
    problems.push(
      `field attention_bias is false, but ${config.model_type} always has biases on queries, keys and values`,
    );
  }
  if (!mlpBias && config.mlp_bias) {
    problems.push(
      `field mlp_bias is true, but ${config.model_type} never has biases in its feed-forward layers`,
    );
  }
  if (config.quantization_config) {
    problems.push(
      "field quantization_config is set, only weights in float32, float16 and bfloat16 are supported",
    );
  }
  if (config.is_causal === false) {
    problems.push("field is_causal is false, only attention to earlier tokens is supported");
  }
  if (config.use_sliding_window === true || config.layer_types?.some((type) => type !== "full_attention")) {
    problems.push("sliding-window attention is asked for, only full attention is supported");
  }
  return problems;
}
