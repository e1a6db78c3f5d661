import type { AttentionShape } from "../kernels/attention.ts";
import type { Device } from "../kernels/device.ts";
import { matmul, matmulBt } from "../kernels/matmul.ts";
import { Tape } from "../kernels/tape.ts";
import type { Flat, Matrix } from "../kernels/tensor.ts";
import type { DecoderConfig } from "./config.ts";
import type { DecodeModel, DecodeSession } from "./decode.ts";
import {
  type AttendLayer,
  attentionShape,
  blockSpecs,
  decoderBlocks,
  EMBEDDING,
  FINAL_NORM,
  productSpec,
} from "./decoder_blocks.ts";
import { DecoderSession } from "./decoder_session.ts";
import { drop, embedding, norm, selectRows, selfAttention } from "./layers.ts";
import type { PackedTokens } from "./packed_tokens.ts";
import { Parameters, type ParameterSpec } from "./parameters.ts";
import { ropeTable } from "./rope.ts";
import { type LossOptions, type LossRows, vocabularyLoss } from "./vocabulary_loss.ts";

/** Dropout of training; not part of `config.json`. */
export interface DecoderDropout {
  /** On the embeddings and on what each block adds to the residual stream. */
  rate: number;
  /** u32 [seedLow, seedHigh, step, 0]. */
  seed: Flat;
}

/**
 * Decoder language model of the Qwen2, Qwen3 and Llama shape: pre-norm RMSNorm, rotary positions, grouped-query
 * attention, SwiGLU. Parameters carry the names of Hugging Face transformers; fused ones are split on save.
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
    this.device = device;
    this.config = config;
    this.shape = attentionShape(config);
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
    const { parameters, config, shape } = this;
    let dropouts = 0;
    const dropped = (x: Matrix) => drop(tape, x, dropout?.rate ?? 0, dropout?.seed, dropouts++);
    const stream = dropped(embedding(tape, parameters, EMBEDDING, input.tokens, input.occurrences));
    const blocks = { config, weights: parameters, shape, rotary: this.#rotary() };
    return decoderBlocks(tape, blocks, stream, input.positions, attend, dropped);
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
    const { device, config } = this;
    return this.#rotaryTable ??= ropeTable(device, config, config.max_position_embeddings);
  }
}

const HEAD = "lm_head.weight";

function parameterSpecs(config: DecoderConfig): ParameterSpec[] {
  const { vocab_size, hidden_size, tie_word_embeddings: tied } = config;
  const specs = [{ ...productSpec(EMBEDDING, vocab_size, hidden_size), product: tied }];
  if (!tied) specs.push(productSpec(HEAD, vocab_size, hidden_size));
  return [...specs, ...blockSpecs(config)];
}
