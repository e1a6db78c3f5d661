import type { FilePiece, PieceFile } from "../../base/files/pieces.ts";
import { UserError } from "../../base/user_error.ts";
import type { DecoderConfig } from "../decoder/config.ts";
import type { TensorPart, TensorShape } from "../safetensors/safetensors.ts";
import { BLOCKS, packBlocks, type WrittenGgufFormat } from "./blocks.ts";
import { ARCHITECTURES, type GgufArchitecture, ggufName, rowOrder } from "./names.ts";
import type { GgufVocabulary } from "./tokenizer.ts";

/** Ids of formats in files, and of whole files in them (llama.h, `enum llama_ftype`). */
const FORMAT_IDS: Record<WrittenGgufFormat, { tensor: number; file: number }> = {
  F32: { tensor: 0, file: 0 },
  F16: { tensor: 1, file: 1 },
  Q8_0: { tensor: 8, file: 7 },
};
const ALIGNMENT = 32;
/** Magnitudes from here on round to infinity: in halves, or in the half that scales a block of -127 to 127. */
const LEAST_INFINITE: Record<WrittenGgufFormat, number> = { F32: Infinity, F16: 65_520, Q8_0: 127 * 65_520 };

/** What a GGUF file says of a model beside its weights. */
export interface GgufOptions {
  /** Number format of matrices; vectors are F32, and Q8_0 is F16 where rows are no whole blocks. */
  format: WrittenGgufFormat;
  /** Name of the model. */
  name: string;
  vocabulary: GgufVocabulary;
  /** Ids in special roles. */
  ids: { bos?: number; eos: number; pad: number };
  chatTemplate?: string;
}

/**
 * A decoder as a GGUF file of llama.cpp. `shapes` announces the tensors, which come in any order, each whole or, tables
 * alone, in whole rows one after the other.
 * @throws {UserError} for what llama.cpp has no words for: biases of queries in Llama's shape, other scaling of positions
 * than linear and YaRN; while pieces are read, for numbers that are not finite.
 */
export function ggufFile(
  config: DecoderConfig,
  shapes: readonly TensorShape[],
  tensors: AsyncIterable<TensorPart>,
  options: GgufOptions,
): PieceFile {
  const architecture = architectureOf(config, options.name);
  const heads = { queries: config.num_attention_heads, keys: config.num_key_value_heads };
  // Tensors begin at multiples of the alignment; the last one is filled up too.
  let end = 0, filled = 0;
  const places = new Map(shapes.map(({ name: theirs, shape }) => {
    const name = ggufName(theirs);
    if (name === undefined) {
      throw new UserError(`Cannot write tensor ${theirs} as GGUF: llama.cpp has no name for it`);
    }
    const cols = shape.at(-1)!;
    const isVector = shape.length === 1;
    const format = isVector
      ? "F32"
      : options.format === "Q8_0" && cols % BLOCKS.Q8_0.numbers !== 0
      ? "F16"
      : options.format;
    const { numbers, bytes } = BLOCKS[format];
    const offset = end;
    const width = cols / numbers * bytes;
    filled = end + width * (isVector ? 1 : shape[0]);
    end = Math.ceil(filled / ALIGNMENT) * ALIGNMENT;
    return [theirs, {
      name,
      shape,
      format: format as WrittenGgufFormat,
      offset,
      width,
      order: rowOrder(name, architecture, heads, shape[0]),
    }];
  }));
  const header = new Writer();
  header.raw(new TextEncoder().encode("GGUF"));
  header.u32(3);
  header.u64(places.size);
  const entries = metadataOf(config, architecture, options);
  header.u64(entries.length);
  for (const [key, type, value] of entries) {
    header.text(key);
    header.value(type, value);
  }
  for (const { name, shape, format, offset } of places.values()) {
    header.text(name);
    header.u32(shape.length);
    for (const length of shape.toReversed()) header.u64(length);
    header.u32(FORMAT_IDS[format].tensor);
    header.u64(offset);
  }
  const bytes = header.bytes(ALIGNMENT);
  const waiting = new Map(
    Array.from(places, ([name, { shape }]) => [name, shape.reduce((a, b) => a * b, 1)]),
  );
  return {
    size: bytes.length + end,
    pieces: (async function* (): AsyncGenerator<FilePiece> {
      yield { at: 0, bytes };
      for await (const tensor of tensors) {
        const { name, from = 0, data } = tensor;
        const place = places.get(name);
        const left = waiting.get(name);
        if (!place || left === undefined) {
          throw new RangeError(`Cannot write tensor ${name}: it was not announced`);
        }
        const { shape, format, offset, width, order } = place;
        checkRange(options.name, tensor, format);
        const cols = shape.at(-1)!;
        // Vectors of queries and keys are turned number by number.
        const height = shape.length === 1 ? 1 : cols;
        const values = order ? new Float32Array(data.length) : data;
        order?.forEach((to, row) => values.set(data.subarray(row * height, (row + 1) * height), to * height));
        yield { at: bytes.length + offset + from / cols * width, bytes: packBlocks(values, format) };
        if (left === data.length) waiting.delete(name);
        else waiting.set(name, left - data.length);
      }
      const [missing] = waiting.keys();
      if (missing !== undefined) {
        throw new RangeError(`Cannot finish the file: tensor ${missing} did not come whole`);
      }
      if (end > filled) yield { at: bytes.length + filled, bytes: new Uint8Array(end - filled) };
    })(),
  };
}

/** Throws {@link UserError} for numbers that are not finite, or would not be in the format of the file. */
function checkRange(
  model: string,
  { name, from = 0, data }: TensorPart,
  format: WrittenGgufFormat,
): void {
  const bad = data.findIndex((value) => !(Math.abs(value) < LEAST_INFINITE[format]));
  if (bad < 0) return;
  const [expected, remedy] = Number.isFinite(data[bad])
    ? [`numbers below ${LEAST_INFINITE[format]} in ${format}`, "Write it in float32"]
    : ["finite numbers", "Fetch the checkpoint again, or use an earlier one"];
  throw new UserError(
    `Cannot write ${model} as GGUF: tensor ${name} holds ${data[bad]} at ${
      from + bad
    }, expected ${expected}. ${remedy}`,
  );
}

function architectureOf(
  { model_type, attention_bias, mlp_bias }: DecoderConfig,
  name: string,
): GgufArchitecture {
  const found = Object.entries(ARCHITECTURES).find(([, type]) => type === model_type)?.[0];
  if (found === undefined) {
    throw new UserError(`Cannot write ${name} as GGUF: it is a ${model_type}, which llama.cpp does not know`);
  }
  if (found !== "qwen2" && (attention_bias || mlp_bias)) {
    throw new UserError(
      `Cannot write ${name} as GGUF: it is a ${model_type} with biases, which llama.cpp reads for qwen2 alone. Use its ` +
        "directory",
    );
  }
  return found as GgufArchitecture;
}

type Entry = [key: string, type: keyof typeof VALUE_TYPES, value: unknown];

/** Types of values (gguf.h, `enum gguf_type`). */
const VALUE_TYPES = { u32: 4, i32: 5, f32: 6, bool: 7, text: 8 } as const;
const ARRAY = 9;

function metadataOf(
  config: DecoderConfig,
  architecture: GgufArchitecture,
  { format, name, vocabulary, ids, chatTemplate }: GgufOptions,
): Entry[] {
  const of = (key: string, type: Entry[1], value: unknown): Entry => [`${architecture}.${key}`, type, value];
  return [
    ["general.architecture", "text", architecture],
    ["general.type", "text", "model"],
    ["general.name", "text", name],
    ["general.file_type", "u32", FORMAT_IDS[format].file],
    ["general.quantization_version", "u32", 2],
    of("block_count", "u32", config.num_hidden_layers),
    of("context_length", "u32", config.max_position_embeddings),
    of("embedding_length", "u32", config.hidden_size),
    of("feed_forward_length", "u32", config.intermediate_size),
    of("attention.head_count", "u32", config.num_attention_heads),
    of("attention.head_count_kv", "u32", config.num_key_value_heads),
    of("attention.key_length", "u32", config.head_dim),
    of("attention.value_length", "u32", config.head_dim),
    of("attention.layer_norm_rms_epsilon", "f32", config.rms_norm_eps),
    of("rope.freq_base", "f32", config.rope_theta),
    of("rope.dimension_count", "u32", config.head_dim),
    of("vocab_size", "u32", config.vocab_size),
    ...ropeEntries(config, architecture, name),
    ["tokenizer.ggml.model", "text", "gpt2"],
    ["tokenizer.ggml.pre", "text", vocabulary.pre],
    ["tokenizer.ggml.tokens", "text", vocabulary.tokens],
    ["tokenizer.ggml.token_type", "i32", vocabulary.types],
    ["tokenizer.ggml.merges", "text", vocabulary.merges],
    ...ids.bos === undefined ? [] : [["tokenizer.ggml.bos_token_id", "u32", ids.bos] satisfies Entry],
    ["tokenizer.ggml.eos_token_id", "u32", ids.eos],
    ["tokenizer.ggml.padding_token_id", "u32", ids.pad],
    ["tokenizer.ggml.add_bos_token", "bool", vocabulary.bos !== undefined],
    ...chatTemplate === undefined ? [] : [["tokenizer.chat_template", "text", chatTemplate] satisfies Entry],
  ];
}

function ropeEntries(
  { rope_scaling: scaling }: DecoderConfig,
  architecture: GgufArchitecture,
  name: string,
): Entry[] {
  if (!scaling) return [];
  const { rope_type: type, factor } = scaling;
  if (type !== "linear" && type !== "yarn") {
    throw new UserError(
      `Cannot write ${name} as GGUF: positions of kind ${type} are not written, expected linear or yarn`,
    );
  }
  const entries: Entry[] = [
    [`${architecture}.rope.scaling.type`, "text", type],
    [`${architecture}.rope.scaling.factor`, "f32", factor],
  ];
  if (type === "yarn" && scaling.original_max_position_embeddings !== undefined) {
    entries.push([
      `${architecture}.rope.scaling.original_context_length`,
      "u32",
      scaling.original_max_position_embeddings,
    ]);
  }
  return entries;
}

/** Bytes that grow. */
class Writer {
  #bytes = new Uint8Array(2 ** 16);
  #end = 0;

  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length); // which may replace the array
    this.#bytes.set(bytes, at);
  }

  u32(value: number): void {
    const at = this.#take(4);
    new DataView(this.#bytes.buffer).setUint32(at, value, true);
  }

  u64(value: number): void {
    const at = this.#take(8);
    new DataView(this.#bytes.buffer).setBigUint64(at, BigInt(value), true);
  }

  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    this.raw(bytes);
  }

  value(type: Entry[1], value: unknown): void {
    if (!Array.isArray(value)) {
      this.u32(VALUE_TYPES[type]);
      this.#plain(type, value);
      return;
    }
    this.u32(ARRAY);
    this.u32(VALUE_TYPES[type]);
    this.u64(value.length);
    for (const part of value) this.#plain(type, part);
  }

  /** All that was written, filled up to whole multiples of `alignment`. */
  bytes(alignment: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, Math.ceil(this.#end / alignment) * alignment);
  }

  #plain(type: Entry[1], value: unknown): void {
    if (type === "text") return this.text(value as string);
    if (type === "bool") return this.raw(Uint8Array.of(value ? 1 : 0));
    if (type === "f32") return this.raw(new Uint8Array(Float32Array.of(value as number).buffer));
    this.u32((value as number) >>> 0);
  }

  #take(length: number): number {
    const start = this.#end;
    this.#end += length;
    if (this.#end + 256 > this.#bytes.length) {
      const grown = new Uint8Array(2 * (this.#end + 256));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return start;
  }
}
