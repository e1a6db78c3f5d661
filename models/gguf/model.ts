import { UserError } from "../../base/user_error.ts";
import type { ModelFiles } from "../hugging_face/weight_files.ts";
import { BYTES } from "../safetensors/header.ts";
import { safetensorsHeader } from "../safetensors/safetensors.ts";
import { BLOCKS, unpackBlocks } from "./blocks.ts";
import { type GgufHeader, type GgufTensor, type GgufValue, readGgufHeader } from "./header.ts";
import { ARCHITECTURES, type GgufArchitecture, huggingFaceName, rowOrder } from "./names.ts";
import { tokenizerJson } from "./tokenizer.ts";

// Rows are unpacked in parts of about so many numbers.
const UNPACKED = 2 ** 20;

/** A model in one GGUF file, as the files of a Hugging Face directory: weights in single precision, unpacked when they are read. */
export class GgufModel {
  /** Small files by name. */
  readonly texts: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** Bytes of `model.safetensors`. */
  readonly weightBytes: number;
  #path: string;
  #files: ModelFiles;
  #header: Uint8Array<ArrayBuffer>;
  /** Tensors in the order of their first byte in `model.safetensors`. */
  #tensors: { tensor: GgufTensor; begin: number; end: number; order: Uint32Array | undefined }[];

  private constructor(path: string, files: ModelFiles, header: GgufHeader) {
    this.#path = path;
    this.#files = files;
    const facts = new Facts(header.metadata, path);
    const architecture = facts.architecture();
    this.texts = textsOf(facts, architecture, header);
    const heads = facts.heads(architecture);
    const named = new Map(header.tensors.map((tensor) => [huggingFaceName(tensor.name), tensor]));
    const shapes = Array.from(named, ([name, { shape }]) => ({ name, shape }));
    const { bytes, places, size } = safetensorsHeader(shapes);
    this.#header = bytes;
    this.weightBytes = size;
    this.#tensors = places.map(({ name, begin, end }) => {
      const tensor = named.get(name)!;
      return { tensor, begin, end, order: rowOrder(tensor.name, architecture, heads, tensor.shape[0]) };
    });
  }

  /**
   * Reads the header of a file and makes config and tokenizer of it.
   * @throws {UserError} for a file that is damaged or of another kind, and for what of it is not supported.
   */
  static async open(path: string, files: ModelFiles): Promise<GgufModel> {
    return new GgufModel(path, files, await readGgufHeader(path, files));
  }

  /** Bytes `start` to `end` (not included) of `model.safetensors`. */
  async readWeights(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(end - start);
    if (start < this.#header.length) {
      out.set(this.#header.subarray(start, Math.min(end, this.#header.length)));
    }
    for (const { tensor, begin, end: last, order } of this.#tensors) {
      if (last <= start || begin >= end) continue;
      const cols = tensor.shape.at(-1)!;
      const width = cols * BYTES.F32;
      const first = Math.floor((Math.max(start, begin) - begin) / width);
      const until = Math.ceil((Math.min(end, last) - begin) / width);
      const step = Math.max(1, Math.floor(UNPACKED / cols));
      for (let row = first; row < until; row += step) {
        const count = Math.min(step, until - row);
        const values = await this.#rows(tensor, row, count, order);
        const bytes = new Uint8Array(values.buffer);
        const at = begin + row * width;
        const from = Math.max(0, start - at), to = Math.min(bytes.length, end - at);
        out.set(bytes.subarray(from, to), at + from - start);
      }
    }
    return out;
  }

  /** Rows `first` to `first + count - 1` of a tensor, as Hugging Face orders them. */
  async #rows(
    { format, shape, begin }: GgufTensor,
    first: number,
    count: number,
    order: Uint32Array | undefined,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { numbers, bytes } = BLOCKS[format];
    const cols = shape.at(-1)!;
    const width = cols / numbers * bytes;
    const read = async (row: number, rows: number) =>
      unpackBlocks(
        await this.#files.readRange(this.#path, begin + row * width, begin + (row + rows) * width),
        format,
      );
    if (!order) return await read(first, count);
    // Rows of another order stay within their head: the part of the file that holds them all is little more.
    const wanted = order.subarray(first, first + count);
    const least = wanted.reduce((a, b) => Math.min(a, b)), most = wanted.reduce((a, b) => Math.max(a, b));
    // A vector's numbers are its rows here.
    const height = shape.length === 1 ? 1 : cols;
    const found = await read(least, most - least + 1);
    const out = new Float32Array(count * height);
    wanted.forEach((row, i) =>
      out.set(found.subarray((row - least) * height, (row - least + 1) * height), i * height)
    );
    return out;
  }
}

/** Metadata of a file by what it means. */
class Facts {
  constructor(readonly metadata: ReadonlyMap<string, GgufValue>, readonly path: string) {}

  fail(problem: string): never {
    throw new UserError(`Cannot use ${this.path}: ${problem}`);
  }

  architecture(): GgufArchitecture {
    const found = this.metadata.get("general.architecture");
    if (typeof found === "string" && Object.hasOwn(ARCHITECTURES, found)) return found as GgufArchitecture;
    return this.fail(
      `general.architecture is ${found ?? "missing"}, expected one of ${
        Object.keys(ARCHITECTURES).join(", ")
      }`,
    );
  }

  heads(architecture: GgufArchitecture): { queries: number; keys: number } {
    const queries = this.number(`${architecture}.attention.head_count`);
    return { queries, keys: this.number(`${architecture}.attention.head_count_kv`, queries) };
  }

  number(key: string, otherwise?: number): number {
    const value = this.optional(key) ?? otherwise;
    return value ?? this.fail(`metadata ${key} is missing`);
  }

  optional(key: string): number | undefined {
    const value = this.metadata.get(key);
    if (value === undefined) return undefined;
    return typeof value === "number" || typeof value === "bigint"
      ? Number(value)
      : this.fail(`metadata ${key} is ${JSON.stringify(value)}, expected a number`);
  }

  list<T extends "string" | "number">(key: string, type: T): (T extends "string" ? string : number)[] {
    const value = this.metadata.get(key);
    if (Array.isArray(value) && value.every((part) => typeof part === type)) {
      return value as (T extends "string" ? string : number)[];
    }
    return this.fail(`metadata ${key} is missing or no list of ${type}s`);
  }

  text(key: string): string | undefined {
    const value = this.metadata.get(key);
    return typeof value === "string" ? value : undefined;
  }
}

function textsOf(facts: Facts, architecture: GgufArchitecture, header: GgufHeader) {
  const tokens = facts.list("tokenizer.ggml.tokens", "string");
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");
  const config = configOf(facts, architecture, header, tokens.length);
  const kind = facts.text("tokenizer.ggml.model");
  if (kind !== "gpt2") {
    facts.fail(
      `its tokenizer is of kind ${
        kind ?? "unknown"
      }, expected gpt2, byte pairs. Use the Hugging Face directory of the model`,
    );
  }
  const types = facts.metadata.has("tokenizer.ggml.token_type")
    ? facts.list("tokenizer.ggml.token_type", "number")
    : tokens.map(() => 1);
  if (types.length !== tokens.length) {
    facts.fail(`it has ${tokens.length} tokens and ${types.length} kinds of them`);
  }
  const tokenOf = (role: string) => {
    const id = facts.optional(`tokenizer.ggml.${role}_token_id`);
    if (id !== undefined && tokens[id] === undefined) {
      facts.fail(`its ${role} token is number ${id} of ${tokens.length}`);
    }
    return id;
  };
  const bos = tokenOf("bos");
  const addsBos = facts.metadata.get("tokenizer.ggml.add_bos_token") === true;
  const tokenizer = tokenizerJson({
    pre: facts.text("tokenizer.ggml.pre") ?? "gpt-2",
    tokens,
    types,
    merges: facts.list("tokenizer.ggml.merges", "string"),
    bos: addsBos ? bos : undefined,
  }, facts.path);
  const named = (id: number | undefined) => id === undefined ? null : tokens[id];
  const tokenizerConfig = {
    tokenizer_class: "PreTrainedTokenizerFast",
    add_bos_token: addsBos,
    bos_token: named(bos),
    eos_token: named(tokenOf("eos")),
    pad_token: named(tokenOf("padding")),
    chat_template: facts.text("tokenizer.chat_template") ?? null,
  };
  return new Map([
    ["config.json", json(config)],
    ["tokenizer.json", json(tokenizer)],
    ["tokenizer_config.json", json(tokenizerConfig)],
  ]);
}

function configOf(
  facts: Facts,
  architecture: GgufArchitecture,
  { tensors }: GgufHeader,
  tokens: number,
): object {
  const of = (key: string, otherwise?: number) => facts.number(`${architecture}.${key}`, otherwise);
  const has = (name: string) => tensors.some((tensor) => tensor.name === name);
  const table = tensors.find(({ name }) => name === "token_embd.weight");
  if (!table) facts.fail("it has no token_embd.weight, the embedding");
  const [rows] = table!.shape;
  if (tokens !== rows) {
    facts.fail(`its tokenizer has ${tokens} tokens, but its embedding ${rows} rows. Fetch the model again`);
  }
  if (has("rope_freqs.weight")) {
    facts.fail(
      "its positions are scaled by rope_freqs.weight (Llama 3), which is not read. Use the Hugging Face directory",
    );
  }
  const { queries, keys } = facts.heads(architecture);
  const width = of("embedding_length");
  const headDim = of("attention.key_length", of("rope.dimension_count", width / queries));
  const rope = facts.text(`${architecture}.rope.scaling.type`) ?? "none";
  return {
    model_type: ARCHITECTURES[architecture],
    vocab_size: rows,
    hidden_size: width,
    intermediate_size: of("feed_forward_length"),
    num_hidden_layers: of("block_count"),
    num_attention_heads: queries,
    num_key_value_heads: keys,
    head_dim: headDim,
    max_position_embeddings: of("context_length"),
    rms_norm_eps: of("attention.layer_norm_rms_epsilon"),
    rope_theta: of("rope.freq_base", 10000),
    rope_scaling: rope === "none" ? null : {
      rope_type: rope,
      factor: of("rope.scaling.factor"),
      ...rope === "yarn" && {
        original_max_position_embeddings: facts.optional(
          `${architecture}.rope.scaling.original_context_length`,
        ),
      },
    },
    tie_word_embeddings: !has("output.weight"),
    attention_bias: has("blk.0.attn_q.bias"),
    bos_token_id: facts.optional("tokenizer.ggml.bos_token_id") ?? null,
    eos_token_id: facts.optional("tokenizer.ggml.eos_token_id") ?? null,
    pad_token_id: facts.optional("tokenizer.ggml.padding_token_id") ?? null,
  };
}
