import { PhiloxStream } from "../../base/philox.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { RowBlock } from "../../kernels/rows/gather.ts";
import type { AttentionDropout } from "../../kernels/relative_attention/relative_attention.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { type DecodeModel, type DecodeSession, MOST_LOGITS } from "../decoder/decode.ts";
import { productSpec } from "../decoder/blocks.ts";
import {
  biasName,
  CROSS_BIAS,
  crossKeyValuesName,
  headsOf,
  type Stack,
  type StackAttention,
  type StackDropout,
  stackSpecs,
  stackStates,
} from "./blocks.ts";
import type { EncoderDecoderConfig } from "./config.ts";
import { biasedAttention, type BiasTable, scaled, type Visible } from "./layers.ts";
import { EncoderDecoderSession } from "./session.ts";
import type { TensorSource } from "../parameters/frozen.ts";
import { embedding, linear, selectRows } from "../layers/layers.ts";
import { loadParameters } from "../parameters/load.ts";
import type { PackedPairs, StackRows, TokenSpan } from "../packing/packed_pairs.ts";
import { Parameters, type WeightBlock } from "../parameters/parameters.ts";
import { mostRows, type ParameterSpec } from "../parameters/spec.ts";
import { bucketsByDistance } from "./relative_buckets.ts";
import {
  chunkLogits,
  type LossOptions,
  vocabularyChunks,
  vocabularyLoss,
} from "../losses/vocabulary_loss.ts";

/** What of an encoder-decoder is trained, and what beside it. */
export interface EncoderDecoderOptions {
  /** Whether a parameter is trained; default all are. */
  trainable?: (name: string) => boolean;
  /** Parameters of layers around the model, such as adapters, which are trained and saved with it. */
  extra?: readonly ParameterSpec[];
}

/** An output matrix: a parameter, and the token ids of its rows. */
export interface OutputHead extends TokenSpan {
  /** Name of the parameter. */
  name: string;
}

const SHARED = "shared.weight";
const HEAD = "lm_head.weight";

/**
 * T5 (Raffel et al. 2020, arXiv:1910.10683) over SIDs: an encoder of the history's tokens and a decoder of the next
 * item's, RMSNorm before each sub-layer, no biases, scores without 1 / sqrt(d_kv) but with a bias of relative positions,
 * ReLU or gated GELU. Tokens have one table, or one for each level (`code_sizes`, ETEGRec, arXiv:2409.05546) that is the
 * output matrix of that level too. Parameters carry the names of Hugging Face transformers; fused ones are split on save.
 */
export class EncoderDecoder implements DecodeModel {
  /** Device that holds the parameters. */
  readonly device: Device;
  /** Architecture, in the fields of Hugging Face's `config.json`. */
  readonly config: EncoderDecoderConfig;
  /** All weights, under the names of Hugging Face. */
  readonly parameters: Parameters;
  /** Number of token ids, V. */
  readonly vocabulary: number;
  /** Output matrices: that of every level, or one for all places. */
  readonly heads: readonly OutputHead[];
  readonly head: readonly RowBlock[];
  readonly mostTokens: number;
  #embedding: readonly WeightBlock[];
  #buckets: Record<Stack, Flat>;
  #scale: number;
  /** Place that hidden states of a session predict: which head they meet. */
  #places = new WeakMap<Matrix, number>();

  /** Allocates all parameters, set to 0: load or `initialize()` them next. */
  constructor(device: Device, config: EncoderDecoderConfig, options: EncoderDecoderOptions = {}) {
    const { code_sizes: codes, vocab_size, d_model, tie_word_embeddings: tied } = config;
    const { relative_attention_num_buckets: buckets, relative_attention_max_distance: farthest } = config;
    this.device = device;
    this.config = config;
    this.#scale = codes.length === 0 && tied ? 1 / Math.sqrt(d_model) : 1;
    const tables: OutputHead[] = [{ name: SHARED, start: 0, rows: vocab_size }];
    for (const [level, rows] of codes.entries()) {
      const { start, rows: before } = tables.at(-1)!;
      tables.push({ name: `token_embeddings.${level}.weight`, start: start + before, rows });
    }
    const { start, rows } = tables.at(-1)!;
    this.vocabulary = start + rows;
    const untied = codes.length === 0 && !tied;
    this.heads = codes.length > 0 ? tables.slice(1) : untied ? [{ ...tables[0], name: HEAD }] : tables;
    const stacks = stackSpecs(config);
    this.mostTokens = mostRows(device, stacks);
    const specs = [
      ...tables.map((table): ParameterSpec => ({
        ...productSpec(table.name, table.rows, d_model),
        product: this.heads.some(({ name }) => name === table.name),
        table: true,
      })),
      ...untied ? [{ ...productSpec(HEAD, vocab_size, d_model), table: true }] : [],
      ...stacks,
      ...options.extra ?? [],
    ];
    const trainable = options.trainable ?? (() => true);
    this.parameters = new Parameters(
      device,
      specs.map((spec) => trainable(spec.name) ? spec : { ...spec, frozenRows: spec.rows }),
    );
    const blocksOf = (of: readonly OutputHead[]) =>
      of.flatMap(({ name, start }) =>
        this.parameters.blocks(name).map((block) => ({ ...block, start: start + block.start }))
      );
    this.#embedding = blocksOf(tables);
    this.head = blocksOf(this.heads);
    const byDistance = (bidirectional: boolean) =>
      device.createFlat("u32", bucketsByDistance({ buckets, farthest, bidirectional }));
    this.#buckets = { encoder: byDistance(true), decoder: byDistance(false) };
  }

  /**
   * Encoder-decoder with the tensors of `source`.
   * @throws {UserError} for a tensor that is missing, has another shape or holds a number that is not finite.
   */
  static async load(
    device: Device,
    source: TensorSource,
    config: EncoderDecoderConfig,
    options: EncoderDecoderOptions = {},
  ): Promise<EncoderDecoder> {
    const model = new EncoderDecoder(device, config, options);
    try {
      await loadParameters(model.parameters, source);
    } catch (error) {
      model.destroy();
      throw error;
    }
    return model;
  }

  /** Fresh weights: normal matrices with this standard deviation, gains 1. */
  initialize(seed: number, initializerRange: number): void {
    const random = new PhiloxStream(seed, "encoder-decoder weights");
    this.parameters.write(this.parameters.initial(() => random.normal(), () => initializerRange));
  }

  /** Token that the decoder starts from. */
  get startToken(): number {
    return this.config.decoder_start_token_id;
  }

  /** Whether a token of the encoder sees those before it alone. */
  get causal(): boolean {
    return this.config.causal_encoder;
  }

  /** States (Te, C) of the encoder's rows, after the final norm. */
  encode(
    tape: Tape,
    rows: Pick<StackRows, "tokens" | "intervals"> & Partial<StackRows>,
    dropout?: StackDropout,
  ): Matrix {
    const self = (_layer: number, qkv: Matrix, dropout?: AttentionDropout) =>
      this.selfAttention(tape, "encoder", qkv, qkv, rows, dropout);
    return this.states(tape, "encoder", rows, { self }, dropout);
  }

  /** States (N D, C) of the decoder's rows, after the final norm; `encoded` are those of the encoder. */
  decode(tape: Tape, packed: PackedPairs, encoded: Matrix, dropout?: StackDropout): Matrix {
    const visible = { intervals: packed.crossIntervals, viewers: packed.crossViewers };
    return this.states(tape, "decoder", packed.decoder, {
      self: (_layer, qkv, dropout) => this.selfAttention(tape, "decoder", qkv, qkv, packed.decoder, dropout),
      cross: (layer, q, dropout) => {
        const keyValues = this.crossKeyValues(tape, layer, encoded);
        const attended = this.crossAttention(tape, q, keyValues, visible, dropout);
        if (!tape.recording) this.device.release(keyValues);
        return attended;
      },
    }, dropout);
  }

  /** Cross-entropy of the decoder's states, written to `packed.rowLoss`; run `tape.backward()` next. */
  loss(tape: Tape, packed: PackedPairs, states: Matrix, options: LossOptions): void {
    this.headRows(tape, packed, states).forEach((hidden, h) =>
      vocabularyLoss(tape, this.parameters, hidden, this.heads[h].name, packed.heads[h].loss, options)
    );
  }

  /** Decoder states (N D, C) -> what each output matrix is multiplied with, (R, C): see `PackedPairs.heads`. */
  headRows(tape: Tape, packed: PackedPairs, states: Matrix): Matrix[] {
    const outputs = this.#scale === 1 ? states : scaled(tape, states, this.#scale);
    return packed.heads.map(({ rows, inverse }) => selectRows(tape, outputs, rows, rows.length, inverse));
  }

  /** A stack with its attention left to `attend`: token rows (T) -> states (T, C). */
  states(
    tape: Tape,
    stack: Stack,
    { tokens, occurrences }: Pick<StackRows, "tokens"> & Partial<StackRows>,
    attend: StackAttention,
    dropout?: StackDropout,
  ): Matrix {
    const embedded = embedding(tape, { blocks: () => this.#embedding }, SHARED, tokens, occurrences);
    return stackStates(tape, this.parameters, this.config, stack, embedded, attend, dropout);
  }

  /** Self-attention: queries of `qkv` (Tq, q | k | v), keys and values of `keys`, k and v its last columns. */
  selfAttention(
    tape: Tape,
    stack: Stack,
    qkv: Matrix,
    keys: Matrix,
    visible: Visible,
    dropout?: AttentionDropout,
  ): Matrix {
    const shape = headsOf(this.config);
    const inner = shape.heads * shape.headDim;
    const keyValues = { matrix: keys, k: keys.cols - 2 * inner, v: keys.cols - inner };
    const bias: BiasTable = { table: biasName(stack), buckets: this.#buckets[stack] };
    return biasedAttention(
      tape,
      this.parameters,
      { matrix: qkv, q: 0 },
      keyValues,
      visible,
      shape,
      { bias, dropout },
    );
  }

  /** Keys and values (Te, k | v) of the encoder's states in a layer of the decoder. */
  crossKeyValues(tape: Tape, layer: number, encoded: Matrix): Matrix {
    return linear(tape, this.parameters, encoded, crossKeyValuesName(layer));
  }

  /** Cross-attention: q (Tq, heads * d_kv) to {@link crossKeyValues}. */
  crossAttention(
    tape: Tape,
    q: Matrix,
    keyValues: Matrix,
    visible: Visible,
    dropout?: AttentionDropout,
  ): Matrix {
    const keys = { matrix: keyValues, k: 0, v: q.cols };
    const bias = this.causal ? { table: CROSS_BIAS, buckets: this.#buckets.decoder } : undefined;
    return biasedAttention(
      tape,
      this.parameters,
      { matrix: q, q: 0 },
      keys,
      visible,
      headsOf(this.config),
      { bias, dropout },
    );
  }

  /** What output matrices are multiplied with: states (R, C) of the decoder that predict `place` of a target, spent. */
  outputs(states: Matrix, place: number): Matrix {
    const outputs = this.#scale === 1 ? states : scaled(new Tape(this.device, false), states, this.#scale);
    if (outputs !== states) this.device.release(states);
    this.#places.set(outputs, place);
    return outputs;
  }

  /**
   * Logits of hidden states that a session made, in parts. With a head for each level these are the codewords of the
   * level that the states predict: what their softmax is over.
   */
  *logitParts(hidden: Matrix): Generator<Matrix> {
    const place = this.heads.length === 1 ? 0 : this.#places.get(hidden);
    const head = place === undefined ? undefined : this.heads[place];
    if (!head) throw new RangeError(`Hidden states predict place ${place}: expected a session's, of a level`);
    for (const chunk of vocabularyChunks(this.parameters.blocks(head.name), MOST_LOGITS)) {
      yield chunkLogits(this.device, hidden, chunk);
    }
  }

  /** Encodes each prompt once, and decodes the start token. */
  start(prompts: Uint32Array[], width: number, maxNewTokens: number): DecodeSession {
    return new EncoderDecoderSession(this, prompts, width, maxNewTokens);
  }

  /** Frees parameters and tables. */
  destroy(): void {
    this.parameters.destroy();
    for (const flat of Object.values(this.#buckets)) this.device.destroy(flat);
  }
}
