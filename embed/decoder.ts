import { z } from "zod";
import { packBatch, type PackedBatch, planBatches } from "../data/packing/batches.ts";
import { UserError } from "../base/user_error.ts";
import { attention, qkvColumns } from "../kernels/attention/attention.ts";
import type { Device } from "../kernels/gpu/device.ts";
import { Tape } from "../kernels/tape.ts";
import {
  attentionShape,
  blockSpecs,
  type DecoderBlocks,
  decoderBlocks,
  EMBEDDING,
  FINAL_NORM,
} from "../models/decoder/blocks.ts";
import { FrozenParameters } from "../models/parameters/frozen.ts";
import { norm } from "../models/layers/layers.ts";
import { Pretrained } from "../models/hugging_face/pretrained.ts";
import { Tokenizer } from "../models/tokenizer/tokenizer.ts";
import type { EmbeddingContext, TextEmbedder, TextProvider } from "./provider.ts";
import {
  pool,
  type SentenceConfig,
  sentenceFields,
  type SentenceSettings,
  sentenceSettings,
} from "./text/sentence_model.ts";
import { textEncoder } from "./text/encoder.ts";
import { TokenTable } from "./text/token_table.ts";
import { ropeTable } from "../models/decoder/rope.ts";
import { scaleToUnitRows } from "./text/unit_rows.ts";

// Batches have a whole multiple of this many rows, so that few shapes exist and matrices are reused.
const ROW_BLOCK = 128;

/**
 * Hidden states of a Qwen2-, Qwen3- or Llama-shaped decoder, be it one for embeddings such as Qwen3-Embedding or one that
 * writes text, after its last norm; computed on our kernels: texts lie end to end without padding, and only the embedding
 * rows of tokens that occur are read.
 */
export const decoderProvider: TextProvider<SentenceConfig> = {
  input: "text",
  name: "decoder",
  onDevice: true,
  takesRuns: true,
  Config: z.strictObject(sentenceFields),
  async open(context, config) {
    const { model } = config;
    if (model === "") {
      throw new UserError(
        "Cannot use provider decoder without a model. Name the directory of one with --model DIR",
      );
    }
    const pretrained = await Pretrained.open(model, context);
    const { max_position_embeddings, vocab_size, eos_token_id } = pretrained.config;
    const tokenizerPath = `${model}/tokenizer.json`;
    const tokenizer = new Tokenizer(await context.readFile(tokenizerPath), tokenizerPath);
    const settings = await sentenceSettings(context, config, max_position_embeddings);
    const ends = [eos_token_id].flat().filter((id) => id !== null);
    const ids = { folder: model, vocabulary: vocab_size, ends };
    const encode = textEncoder(tokenizer, ids, settings, config.prefix);
    return await DecoderEmbedder.load(context, pretrained, encode, settings, config);
  },
};

type Encode = (text: string) => Uint32Array;

class DecoderEmbedder implements TextEmbedder {
  readonly dim: number;
  readonly wholeCorpus = false;
  #device: Device;
  #blocks: DecoderBlocks & { weights: FrozenParameters };
  #table: TokenTable;
  #encode: Encode;
  #settings: SentenceSettings & Pick<SentenceConfig, "batchTokens" | "normalize">;

  private constructor(
    device: Device,
    blocks: DecoderBlocks & { weights: FrozenParameters },
    table: TokenTable,
    encode: Encode,
    settings: SentenceSettings & Pick<SentenceConfig, "batchTokens" | "normalize">,
  ) {
    this.dim = blocks.config.hidden_size;
    this.#device = device;
    this.#blocks = blocks;
    this.#table = table;
    this.#encode = encode;
    this.#settings = settings;
  }

  static async load(
    context: EmbeddingContext,
    pretrained: Pretrained,
    encode: Encode,
    settings: SentenceSettings,
    { batchTokens, normalize }: SentenceConfig,
  ): Promise<DecoderEmbedder> {
    const { config } = pretrained;
    const shape = attentionShape(config);
    const device = await context.device();
    const weights = await FrozenParameters.load(device, blockSpecs(config), pretrained);
    const rotary = ropeTable(device, config, settings.maxLength);
    const table = new TokenTable(
      config.hidden_size,
      (first, count) => pretrained.readRows(EMBEDDING, first, count),
    );
    const blocks = { config, weights, shape, rotary };
    return new DecoderEmbedder(device, blocks, table, encode, { ...settings, batchTokens, normalize });
  }

  async embed(
    texts: readonly string[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { dim } = this;
    const { batchTokens, pooling, normalize } = this.#settings;
    const sequences = texts.map((text) => ({ tokens: this.#encode(text), targets: [] }));
    const sizes = sequences.map(({ tokens }) => ({ tokens: tokens.length, targets: 0 }));
    const longest = sizes.reduce((most, { tokens }) => Math.max(most, tokens), 0);
    const plan = planBatches(sizes, { tokens: Math.max(batchTokens, longest), rows: 0 });
    const vectors = new Float32Array(texts.length * dim);
    let done = 0;
    for (const members of plan) {
      const tokens = members.reduce((sum, text) => sum + sizes[text].tokens, 0);
      const capacity = { tokens: Math.ceil(tokens / ROW_BLOCK) * ROW_BLOCK, rows: 0 };
      const hidden = await this.#hidden(packBatch(members.map((text) => sequences[text]), capacity));
      let start = 0;
      for (const text of members) {
        const end = start + sizes[text].tokens;
        vectors.set(pool(hidden, dim, start, end, pooling), text * dim);
        start = end;
      }
      onProgress?.(done += members.length, texts.length);
    }
    this.#device.trim();
    return normalize ? scaleToUnitRows(vectors, dim) : vectors;
  }

  close(): void {
    this.#blocks.weights.destroy();
    this.#device.destroy(this.#blocks.rotary);
  }

  /** Hidden states after the final norm, (T, C). */
  async #hidden(batch: PackedBatch): Promise<Float32Array> {
    const device = this.#device;
    const { config, weights, shape } = this.#blocks;
    const rows = batch.tokens.length;
    const embedded = await this.#table.lookUp(batch.tokens, batch.counts.tokens);
    const intervals = new Uint32Array(4 * rows);
    for (let row = 0; row < batch.counts.tokens; row++) {
      intervals.set([batch.starts[row], row + 1], 4 * row);
    }
    const positions = device.createFlat("u32", batch.positions);
    const visible = device.createFlat("u32", intervals);
    try {
      return await device.scope(async () => {
        const tape = new Tape(device, false);
        const stream = device.matrix(rows, config.hidden_size);
        device.write(stream, embedded);
        const { q, k, v } = qkvColumns(shape);
        const last = decoderBlocks(tape, this.#blocks, stream, positions, (_layer, qkv) => {
          const keyValues = { matrix: qkv, k, v };
          const { o, lse } = attention(device, qkv, q, keyValues, keyValues, visible, shape);
          device.release(lse);
          return o;
        });
        const [hidden] = await device.read(norm(tape, weights, last, FINAL_NORM, config.rms_norm_eps));
        return hidden;
      });
    } finally {
      device.destroy(positions);
      device.destroy(visible);
    }
  }
}
