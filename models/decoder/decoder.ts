import type { AttentionShape } from "../../kernels/attention/attention.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { RowBlock } from "../../kernels/rows/gather.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { DecoderConfig } from "./config.ts";
import { type DecodeModel, type DecodeSession, MOST_LOGITS } from "./decode.ts";
import {
  type AttendLayer,
  attentionShape,
  blockSpecs,
  decoderBlocks,
  EMBEDDING,
  FINAL_NORM,
  HEAD,
  layerName,
  productSpec,
  splitsGate,
} from "./blocks.ts";
import { DecoderSession } from "./session.ts";
import type { TensorSource } from "../parameters/frozen.ts";
import { drop, embedding, norm, selectRows, selfAttention } from "../layers/layers.ts";
import { loadParameters } from "../parameters/load.ts";
import { Lora, type LoraOptions } from "../parameters/lora.ts";
import type { PackedRows, PackedTokens } from "../packing/packed_tokens.ts";
import { Parameters } from "../parameters/parameters.ts";
import { mostRows, type ParameterSpec } from "../parameters/spec.ts";
import { ropeTable } from "./rope.ts";
import { trieAwareLoss, type TrieLossOptions } from "../losses/trie_loss.ts";
import {
  chunkLogits,
  type LossOptions,
  type LossRows,
  vocabularyChunks,
  vocabularyLoss,
} from "../losses/vocabulary_loss.ts";

/** Numbers that the weights of a decoder can be kept in to ask it: see {@link DecoderOptions.int8}. */
export const HELD_FORMATS = ["float32", "int8"] as const;
/** One of {@link HELD_FORMATS}. */
export type HeldFormat = typeof HELD_FORMATS[number];

/** Dropout of training; not part of `config.json`. */
export interface DecoderDropout {
  /** On the embeddings and on what each block adds to the residual stream; adapters have a rate of their own. */
  rate: number;
  /** u32 [seed, micro batch of the step, step, unused]. */
  seed: Flat;
}

/** What of a decoder is trained, and how. */
export interface DecoderOptions {
  /** Whether a parameter is trained; default all are, with `lora` adapters and new rows alone. The others have no gradient, no moments and no average. */
  trainable?: (name: string) => boolean;
  /** First so many rows of the embedding and the head that are not trained, such as those of pretrained tokens. */
  frozenRows?: number;
  /** Whether weight decay applies to the embedding and the head. Default true. */
  decayEmbeddings?: boolean;
  /** Low-rank adapters of the blocks. */
  lora?: LoraOptions;
  /** Keeps the products of the blocks in eight bits, a scale a row, and everything else frozen: to ask it alone. Default false. */
  int8?: boolean;
  /** Keeps the stream between blocks alone and computes each block again in the backward pass. Default false. */
  gradientCheckpointing?: boolean;
}

/** How to load a pretrained decoder; see {@link Decoder.load}. */
export interface DecoderLoadOptions extends DecoderOptions {
  /**
   * First token that the checkpoint does not know: rows of the embedding and the head from there on are made anew,
   * whether it lacks them or has them to spare. Default: it has all rows.
   */
  firstNewRow?: number;
  /** Standard deviation of the noise on new rows, as a multiple of 1 / sqrt(hidden_size). Default 0.1. */
  newRowNoise?: number;
  /** Seed of that noise and of the adapters. Default 42. */
  seed?: number;
  /** Told after each parameter. */
  onProgress?: (done: number, total: number) => void;
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
  /** Adapters of the blocks, if there are any. */
  readonly lora: Lora | undefined;
  readonly mostTokens: number;
  #checkpointing: boolean;
  #splitGate: boolean;
  #adapting = true;
  #rotaryTable: Matrix | undefined;

  /** Allocates all parameters, set to 0: load or initialise them next. */
  constructor(device: Device, config: DecoderConfig, options: DecoderOptions = {}) {
    this.device = device;
    this.config = config;
    this.shape = attentionShape(config);
    this.#splitGate = splitsGate(config, device);
    const blocks = blockSpecs(config, this.#splitGate);
    this.mostTokens = mostRows(device, blocks);
    this.lora = options.lora && new Lora(blocks, options.lora);
    this.#checkpointing = options.gradientCheckpointing ?? false;
    const specs = [
      ...tableSpecs(config, options),
      ...withTrained(blocks, options),
      ...this.lora?.specs ?? [],
    ];
    this.parameters = new Parameters(device, specs);
  }

  /**
   * Decoder with the tensors of `source`, read one after the other. New rows of the embedding and the head are the mean
   * of the others plus small noise, adapters are as `Lora.initial()` makes them.
   * @throws {UserError} for a tensor that is missing, has another shape or holds a number that is not finite.
   */
  static async load(
    device: Device,
    source: TensorSource,
    config: DecoderConfig,
    { firstNewRow, newRowNoise = 0.1, seed = 42, onProgress, ...options }: DecoderLoadOptions = {},
  ): Promise<Decoder> {
    const decoder = new Decoder(device, config, options);
    const { lora, parameters } = decoder;
    const adapters = new Set(lora?.specs.map(({ name }) => name));
    try {
      await loadParameters(parameters, source, {
        names: new Set(parameters.specs.map(({ name }) => name)).difference(adapters),
        newRows: firstNewRow === undefined
          ? undefined
          : { tables: [EMBEDDING, HEAD], first: firstNewRow, noise: newRowNoise, seed },
        onProgress,
      });
      if (lora) parameters.load(lora.initial(seed), "adapters", adapters);
    } catch (error) {
      decoder.destroy();
      throw error;
    }
    return decoder;
  }

  /** Number of token ids, V: the width of the logits. */
  get vocabulary(): number {
    return this.config.vocab_size;
  }

  /** Name of the output matrix: the embedding where the two are tied. */
  get headName(): string {
    return this.config.tie_word_embeddings ? EMBEDDING : HEAD;
  }

  /** Gradients of the products of each block that are trained: see `Tape.beginLayer()`. */
  get layerGradients(): Flat[][] {
    const { parameters, config } = this;
    return Array.from({ length: config.num_hidden_layers }, (_, layer) => {
      const own = parameters.specs.filter(({ name, product }) =>
        product && name.startsWith(layerName(layer, ""))
      );
      return own.flatMap(({ name }) => parameters.gradient(name) ?? []);
    });
  }

  get head(): readonly RowBlock[] {
    return this.parameters.blocks(this.headName);
  }

  /** Loss rows of a packed batch, written to `rows.rowLoss`; run `tape.backward()` next for the gradients. */
  loss(
    tape: Tape,
    packed: PackedTokens,
    rows: LossRows,
    { dropout, trie, ...options }: LossOptions & { dropout?: DecoderDropout; trie?: TrieLossOptions },
  ): void {
    const hidden = this.targetHidden(tape, packed, dropout);
    if (trie) trieAwareLoss(tape, this.parameters, hidden, this.headName, rows, { ...options, trie });
    else vocabularyLoss(tape, this.parameters, hidden, this.headName, rows, options);
  }

  /** Hidden rows (R, C) from which the tokens of a packed batch are predicted, after the final norm. */
  targetHidden(tape: Tape, packed: PackedRows, dropout?: DecoderDropout): Matrix {
    const stream = this.hidden(tape, packed, dropout);
    const selected = selectRows(tape, stream, packed.targetRows, packed.targetRows.length, packed.inverse);
    return norm(tape, this.parameters, selected, FINAL_NORM, this.config.rms_norm_eps);
  }

  /** Residual stream (T, C) after the last block, before the final norm. */
  hidden(tape: Tape, packed: PackedRows, dropout?: DecoderDropout): Matrix {
    return this.blocks(
      tape,
      packed,
      (_layer, qkv) => selfAttention(tape, qkv, packed.intervals, packed.viewers, this.shape),
      dropout,
    );
  }

  /**
   * The blocks with attention left to `attend`: qkv (T, q | k | v), rotated -> (T, heads * headDim). `last` names the rows
   * that are wanted of the stream, where these are not all; see {@link decoderBlocks}.
   */
  blocks(
    tape: Tape,
    input: Pick<PackedRows, "tokens" | "positions"> & Partial<PackedRows> & { last?: Flat },
    attend: AttendLayer,
    dropout?: DecoderDropout,
  ): Matrix {
    const { parameters, config, shape, lora } = this;
    const seed = dropout?.seed;
    const embedded = embedding(tape, parameters, EMBEDDING, input.tokens, input.occurrences);
    const stream = dropout ? drop(tape, embedded, { ...dropout, stream: 0 }) : embedded;
    const adapt = (weight: string) => {
      const adapter = this.#adapting ? lora?.adapter(weight) : undefined;
      return adapter && { ...adapter, seed };
    };
    const blocks = {
      config,
      weights: parameters,
      shape,
      rotary: this.#rotary(),
      adapt,
      checkpointing: this.#checkpointing,
      splitGate: this.#splitGate,
    };
    return decoderBlocks(tape, blocks, stream, input.positions, attend, dropout, input.last);
  }

  /** Runs `work`, which records forward passes, with the model below the adapters: the one that they started from. */
  withoutAdapters<T>(work: () => T): T {
    this.#adapting = false;
    try {
      return work();
    } finally {
      this.#adapting = true;
    }
  }

  /** Final norm of stream rows (R, C). */
  finalNorm(stream: Matrix): Matrix {
    return norm(new Tape(this.device, false), this.parameters, stream, FINAL_NORM, this.config.rms_norm_eps);
  }

  /**
   * hidden (R, C) -> logits (R, V).
   * @throws {RangeError} for a vocabulary too large for that: use {@link logitParts}.
   */
  logits(hidden: Matrix): Matrix {
    const [whole, ...more] = vocabularyChunks(this.parameters.blocks(this.headName), MOST_LOGITS);
    if (more.length === 0) return chunkLogits(this.device, hidden, whole);
    throw new RangeError(`Logits of ${this.vocabulary} tokens come in ${more.length + 1} parts: expected 1`);
  }

  *logitParts(hidden: Matrix): Generator<Matrix> {
    for (const chunk of vocabularyChunks(this.parameters.blocks(this.headName), MOST_LOGITS)) {
      yield chunkLogits(this.device, hidden, chunk);
    }
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

/** All parameters of a decoder without adapters, of which all are trained. */
export function decoderSpecs(config: DecoderConfig): ParameterSpec[] {
  return [...tableSpecs(config, {}), ...blockSpecs(config)];
}

/** Embedding and, where it is not tied, head. */
function tableSpecs(config: DecoderConfig, options: DecoderOptions): ParameterSpec[] {
  const { vocab_size, hidden_size, tie_word_embeddings: tied } = config;
  const { frozenRows = 0, decayEmbeddings = true } = options;
  const table = (name: string, product: boolean): ParameterSpec => {
    const spec = productSpec(name, vocab_size, hidden_size);
    return { ...spec, product, table: true, decay: decayEmbeddings, frozenRows };
  };
  return withTrained([table(EMBEDDING, tied), ...(tied ? [] : [table(HEAD, true)])], options);
}

/** `specs`, those frozen whole that are not trained. */
function withTrained(
  specs: readonly ParameterSpec[],
  { lora, frozenRows = 0, int8 = false, ...options }: DecoderOptions,
): ParameterSpec[] {
  if (int8) {
    return specs.map((spec) => ({ ...spec, frozenRows: spec.rows, int8: spec.product && !spec.table }));
  }
  const isNew = (name: string) => frozenRows > 0 && [EMBEDDING, HEAD].includes(name);
  const trainable = options.trainable ?? ((name: string) => !lora || isNew(name));
  return specs.map((spec) => trainable(spec.name) ? spec : { ...spec, frozenRows: spec.rows });
}
