import { z } from "zod";
import { blocks } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import { MAX_HEAD_DIM } from "../../kernels/attention/attention.ts";
import { DTYPES, fieldProblems } from "../decoder/config.ts";
import type { StoredFormat } from "../safetensors/header.ts";

/** The `model_type` of an encoder-decoder's `config.json`. */
export const ENCODER_DECODER_TYPE = "t5";

const size = z.int().min(1);

const Fields = z.looseObject({
  model_type: z.literal(ENCODER_DECODER_TYPE),
  architectures: z.array(z.string()).default(["T5ForConditionalGeneration"]),
  vocab_size: size,
  code_sizes: z.array(size).default([]),
  d_model: size,
  d_kv: size,
  d_ff: size,
  num_layers: blocks(),
  num_decoder_layers: blocks().nullish(),
  num_heads: size,
  relative_attention_num_buckets: size.default(32),
  relative_attention_max_distance: size.default(128),
  dropout_rate: z.number().min(0).max(1).default(0.1),
  layer_norm_epsilon: z.number().positive().default(1e-6),
  feed_forward_proj: z.enum(["relu", "gated-gelu"]).default("relu"),
  tie_word_embeddings: z.boolean().default(true),
  decoder_start_token_id: z.int().min(0).default(0),
  causal_encoder: z.boolean().default(false),
});

/** Shape of a T5 encoder-decoder, in the names of Hugging Face's `config.json`; other keys are kept as they were read. */
export interface EncoderDecoderConfig {
  /** Family in transformers. */
  model_type: typeof ENCODER_DECODER_TYPE;
  /** Class names of Hugging Face. */
  architectures: string[];
  /** Rows of the shared embedding, the first token ids. With `code_sizes` it holds the start of a SID alone. */
  vocab_size: number;
  /**
   * Codewords of each level where SIDs have embedding tables of their own (ETEGRec), which also are the output matrices:
   * the table of the first level has the ids from `vocab_size` on, and so on. Default none: one table, one head.
   */
  code_sizes: number[];
  /** Width of the residual stream. */
  d_model: number;
  /** Width of a head. */
  d_kv: number;
  /** Width of the feed-forward layer. */
  d_ff: number;
  /** Blocks of the encoder. */
  num_layers: number;
  /** Blocks of the decoder. */
  num_decoder_layers: number;
  /** Heads of attention. */
  num_heads: number;
  /** Buckets of distances that have a bias. */
  relative_attention_num_buckets: number;
  /** Distance from which on all share the last bucket. */
  relative_attention_max_distance: number;
  /** Dropout of training. */
  dropout_rate: number;
  /** Added to the mean square before its root is taken. */
  layer_norm_epsilon: number;
  /** "gated-gelu" in T5 1.1. */
  feed_forward_proj: "relu" | "gated-gelu";
  /** Whether the shared embedding is the output matrix, with states scaled by 1 / sqrt(d_model); else `lm_head.weight`. */
  tie_word_embeddings: boolean;
  /** Token that the decoder starts from. */
  decoder_start_token_id: number;
  /**
   * Whether a token of the encoder sees those before it alone, which T5 does not have: then one pass over a history
   * serves the targets after each of its items. Cross-attention then has a bias of the distance to the end of the
   * history, since no token knows whether it is the last one.
   */
  causal_encoder: boolean;
}

/**
 * Checks a config and fills in what Hugging Face lets a file leave out. `source` is the file name for messages.
 * @throws {UserError} naming every field that cannot be used, what it is and what it should be.
 */
export function parseEncoderDecoderConfig(value: unknown, source = "config.json"): EncoderDecoderConfig {
  const parsed = Fields.safeParse(value);
  const problems = parsed.success ? shapeProblems(parsed.data) : fieldProblems(parsed.error, value);
  if (!parsed.success || problems.length > 0) {
    throw new UserError(`Cannot use ${source}: ${problems.join("; ")}`);
  }
  // What says how a file stores things, not what the model is: written anew.
  const { dtype: _dtype, torch_dtype: _old, ...config } = parsed.data;
  return { ...config, num_decoder_layers: config.num_decoder_layers ?? config.num_layers };
}

/** Text of a `config.json` that Hugging Face transformers loads as this model's stacks; `stored` is in the shards. */
export function writeEncoderDecoderConfig(
  config: EncoderDecoderConfig,
  stored: StoredFormat = "F32",
): string {
  const { code_sizes, causal_encoder, ...rest } = config;
  const fields = {
    ...rest,
    ...code_sizes.length > 0 && { code_sizes },
    ...causal_encoder && { causal_encoder },
  };
  return JSON.stringify({ ...fields, dtype: DTYPES[stored], torch_dtype: DTYPES[stored] }, null, 2) + "\n";
}

function shapeProblems(config: z.output<typeof Fields>): string[] {
  const problems: string[] = [];
  const multiple = (name: "d_model" | "d_kv" | "d_ff" | "relative_attention_num_buckets", of: number) => {
    if (config[name] % of !== 0) {
      problems.push(`field ${name} is ${config[name]}, expected a multiple of ${of}`);
    }
  };
  multiple("d_model", 4);
  multiple("d_kv", 4);
  multiple("d_ff", 4);
  multiple("relative_attention_num_buckets", 8);
  if (config.d_kv > MAX_HEAD_DIM) {
    problems.push(`field d_kv is ${config.d_kv}, expected at most ${MAX_HEAD_DIM}`);
  }
  const { relative_attention_num_buckets: buckets, relative_attention_max_distance: farthest } = config;
  if (farthest <= buckets / 2) {
    problems.push(
      `field relative_attention_max_distance is ${farthest}, expected more than half of the ${buckets} buckets`,
    );
  }
  if (config.decoder_start_token_id >= config.vocab_size) {
    problems.push(
      `field decoder_start_token_id is ${config.decoder_start_token_id}, expected less than vocab_size ${config.vocab_size}`,
    );
  }
  return problems;
}
