import { type AttentionShape, MAX_HEAD_DIM } from "../kernels/attention.ts";
import type { Device } from "../kernels/device.ts";
import { matmul, matmulBt } from "../kernels/matmul.ts";
import { rotaryTable } from "../kernels/rotary.ts";
import { Tape } from "../kernels/tape.ts";
import type { Flat, Matrix } from "../kernels/tensor.ts";
import { UserError } from "../data/user_error.ts";
import type { DecoderConfig } from "./config.ts";
import type { DecodeModel, DecodeSession } from "./decode.ts";
import { DecoderSession } from "./decoder_session.ts";
import {
  drop,
  embedding,
  gatedUnit,
  headNorm,
  linear,
  norm,
  residual,
  residualNorm,
  rotate,
  selectRows,
  selfAttention,
} from "./layers.ts";
import type { PackedTokens } from "./packed_tokens.ts";
import { Parameters, type ParameterSpec } from "./parameters.ts";
import { type LossOptions, type LossRows, vocabularyLoss } from "./vocabulary_loss.ts";

/** Dropout of training; not part of `config.json`. */
export interface DecoderDropout {
  /** On the embeddings and on what each block adds to the residual stream. */
  rate: number;
  /** u32 [seedLow, seedHigh, step, 0]. */
  seed: Flat;
}

/** How a block computes attention: over the packed batch in training, over a cache in decoding. */
export type AttendLayer = (layer: number, qkv: Matrix) => Matrix;

/**
 * Decoder language model of the Qwen2 and Qwen3 shape: pre-norm RMSNorm, rotary positions, grouped-query attention,
 * SwiGLU. Parameters carry the names of Hugging Face transformers; fused ones are split on save.
 */
export class Decoder implements DecodeModel {
  /** Device that holds the parameters. */
  readonly device: Device;
  /** Architecture, in the fields of Hugging Face's `config.json`. */
  readonly config: DecoderConfig;
  /** All weights, under the names of Hugging Face. */
  readonly parameters: Parameters;
  /** Attention heads; all layers have the same. */
  readonly shape: AttentionShape;
  #rotaryTable: Matrix | undefined;

  /** Allocates all parameters, set to 0: load or initialise them next. */
  constructor(device: Device, config: DecoderConfig) {
    const { head_dim: headDim } = config;
    if (headDim % 8 !== 0 || headDim > MAX_HEAD_DIM) {
      throw new UserError(
        `Cannot build the decoder: head_dim is ${headDim}, expected a multiple of 8, at most ${MAX_HEAD_DIM}`,
      );
    }
    this.device = device;
    this.config = config;
    this.shape = { heads: config.num_attention_heads, kvHeads: config.num_key_value_heads, headDim };
    this.parameters = new Parameters(device, parameterSpecs(config));
  }

  /** Number of token ids, V: the width of the logits. */
  get vocabulary(): number {
    return this.config.vocab_size;
  }

  /** Name of the output matrix: the embedding where the two are tied. */
  get headName(): string {
    return this.config.tie_word_embeddings ? EMBEDDING : HEAD;
  }

  get head(): Matrix {
    return this.parameters.matrix(this.headName);
  }

  /** Loss rows of a packed batch, written to `rows.rowLoss`; run `tape.backward()` next for the gradients. */
  loss(
    tape: Tape,
    packed: PackedTokens,
    rows: LossRows,
    options: LossOptions & { dropout?: DecoderDropout },
  ): void {
    const { rms_norm_eps } = this.config;
    const stream = this.hidden(tape, packed, options.dropout);
    const selected = selectRows(tape, stream, packed.targetRows, packed.targetRows.length, packed.inverse);
    const hidden = norm(tape, this.parameters, selected, FINAL_NORM, rms_norm_eps);
    vocabularyLoss(tape, this.parameters, hidden, this.headName, rows, options);
  }

  /** Residual stream (T, C) after the last block, before the final norm. */
  hidden(tape: Tape, packed: PackedTokens, dropout?: DecoderDropout): Matrix {
    return this.blocks(
      tape,
      packed,
      (_layer, qkv) => selfAttention(tape, qkv, packed.intervals, packed.viewers, this.shape),
      dropout,
    );
  }

  /** The blocks with attention left to `attend`: qkv (T, q | k | v), rotated -> (T, heads * headDim). */
  blocks(
    tape: Tape,
    input: Pick<PackedTokens, "tokens" | "positions"> & Partial<PackedTokens>,
    attend: AttendLayer,
    dropout?: DecoderDropout,
  ): Matrix {
    const { parameters, config } = this;
    const eps = config.rms_norm_eps;
    let dropouts = 0;
    const dropped = (x: Matrix) => drop(tape, x, dropout?.rate ?? 0, dropout?.seed, dropouts++);

    let stream = dropped(embedding(tape, parameters, EMBEDDING, input.tokens, input.occurrences));
    let normed = norm(tape, parameters, stream, layerName(0, "input_layernorm.weight"), eps);
    for (let layer = 0; layer < config.num_hidden_layers; layer++) {
      const name = (part: string) => layerName(layer, part);
      const bias = config.attention_bias ? name(QKV_BIAS) : undefined;
      let qkv = linear(tape, parameters, normed, name(QKV), bias);
      if (config.model_type === "qwen3") {
        qkv = headNorm(tape, parameters, qkv, name(QK_NORM), this.shape, eps);
      }
      qkv = rotate(tape, qkv, input.positions, this.#rotary(), this.shape);
      const attended = linear(tape, parameters, attend(layer, qkv), name("self_attn.o_proj.weight"));
      const middle = residualNorm(
        tape,
        parameters,
        stream,
        dropped(attended),
        name("post_attention_layernorm.weight"),
        eps,
      );
      const gateUp = linear(tape, parameters, middle.normed, name(GATE_UP));
      const down = dropped(linear(tape, parameters, gatedUnit(tape, gateUp), name("mlp.down_proj.weight")));
      if (layer + 1 === config.num_hidden_layers) return residual(tape, middle.sum, down);
      const next = layerName(layer + 1, "input_layernorm.weight");
      ({ sum: stream, normed } = residualNorm(tape, parameters, middle.sum, down, next, eps));
    }
    return stream;
  }

  /** Final norm of stream rows (R, C). */
  finalNorm(stream: Matrix): Matrix {
    return norm(new Tape(this.device, false), this.parameters, stream, FINAL_NORM, this.config.rms_norm_eps);
  }

  logits(hidden: Matrix): Matrix {
    const transposed = this.parameters.transposed(this.headName);
    return transposed ? matmul(this.device, hidden, transposed) : matmulBt(this.device, hidden, this.head);
  }

  start(prompts: Uint32Array[], width: number, maxNewTokens: number): DecodeSession {
    return new DecoderSession(this, prompts, width, maxNewTokens);
  }

  /** Frees parameters and tables. */
  destroy(): void {
    this.parameters.destroy();
    if (this.#rotaryTable) this.device.destroy(this.#rotaryTable);
  }

  #rotary(): Matrix {
    const { max_position_embeddings: positions, head_dim, rope_theta } = this.config;
    return this.#rotaryTable ??= this.device.upload(
      rotaryTable(positions, head_dim, rope_theta),
      positions,
      head_dim,
    );
  }
}

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";
const FINAL_NORM = "model.norm.weight";
const QKV = "self_attn.qkv.weight";
const QKV_BIAS = "self_attn.qkv.bias";
const QK_NORM = "self_attn.qk_norm.weight";
const GATE_UP = "mlp.gate_up.weight";

function layerName(layer: number, part: string): string {
  return `model.layers.${layer}.${part}`;
}

function parameterSpecs(config: DecoderConfig): ParameterSpec[] {
  const { vocab_size, hidden_size, intermediate_size, head_dim } = config;
  const query = config.num_attention_heads * head_dim;
  const keys = config.num_key_value_heads * head_dim;
  const weight = (
    name: string,
    rows: number,
    cols: number,
    parts?: ParameterSpec["parts"],
  ): ParameterSpec => ({
    name,
    rows,
    cols,
    init: "normal",
    decay: true,
    product: true,
    parts,
  });
  const vector = (
    name: string,
    cols: number,
    init: "ones" | "zeros",
    parts: ParameterSpec["parts"] = [{ name, shape: [cols], row: 0, col: 0 }],
  ): ParameterSpec => ({ name, rows: 1, cols, init, decay: false, product: false, parts });

  const tied = config.tie_word_embeddings;
  const specs = [{ ...weight(EMBEDDING, vocab_size, hidden_size), product: tied }];
  if (!tied) specs.push(weight(HEAD, vocab_size, hidden_size));
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const name = (part: string) => layerName(layer, part);
    const rowPart = (part: string, rows: number, row: number) => ({
      name: name(part),
      shape: [rows, hidden_size],
      row,
      col: 0,
    });
    specs.push(
      weight(name(QKV), query + 2 * keys, hidden_size, [
        rowPart("self_attn.q_proj.weight", query, 0),
        rowPart("self_attn.k_proj.weight", keys, query),
        rowPart("self_attn.v_proj.weight", keys, query + keys),
      ]),
      weight(name("self_attn.o_proj.weight"), hidden_size, query),
      weight(name(GATE_UP), 2 * intermediate_size, hidden_size, [
        rowPart("mlp.gate_proj.weight", intermediate_size, 0),
        rowPart("mlp.up_proj.weight", intermediate_size, intermediate_size),
      ]),
      weight(name("mlp.down_proj.weight"), hidden_size, intermediate_size),
      vector(name("input_layernorm.weight"), hidden_size, "ones"),
      vector(name("post_attention_layernorm.weight"), hidden_size, "ones"),
    );
    if (config.attention_bias) {
      specs.push(vector(name(QKV_BIAS), query + 2 * keys, "zeros", [
        { name: name("self_attn.q_proj.bias"), shape: [query], row: 0, col: 0 },
        { name: name("self_attn.k_proj.bias"), shape: [keys], row: 0, col: query },
        { name: name("self_attn.v_proj.bias"), shape: [keys], row: 0, col: query + keys },
      ]));
    }
    if (config.model_type === "qwen3") {
      specs.push({
        ...vector(name(QK_NORM), head_dim, "ones", [
          { name: name("self_attn.q_norm.weight"), shape: [head_dim], row: 0, col: 0 },
          { name: name("self_attn.k_norm.weight"), shape: [head_dim], row: 1, col: 0 },
        ]),
        rows: 2,
      });
    }
  }
  specs.push(vector(FINAL_NORM, hidden_size, "ones"));
  return specs;
}
