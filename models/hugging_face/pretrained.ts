import { UserError } from "../../base/user_error.ts";
import { type DecoderConfig, readDecoderConfig } from "../decoder/config.ts";
import { outerPath } from "../gguf/path.ts";
import { blockSpecs, EMBEDDING, HEAD } from "../decoder/blocks.ts";
import type { TensorSource } from "../parameters/frozen.ts";
import { partsOf } from "../parameters/parts.ts";
import { type StoredTensor, widen } from "../safetensors/safetensors.ts";
import { BYTES } from "../safetensors/header.ts";
import { nameTensors, unusedNote } from "./tensor_names.ts";
import { mergedData } from "../parameters/merge_lora.ts";
import { isSameNumber } from "./adapter_base.ts";
import { type AdapterBeside, readAdapterBeside } from "./adapter_beside.ts";
import {
  ADAPTER_CONFIG,
  checkModelFolder,
  type ModelFiles,
  readPlaces,
  type TensorPlace,
} from "./weight_files.ts";

/** A file of a model directory. */
export interface ModelFile {
  /** Name in the directory. */
  name: string;
  /** Contents. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** Files beside config and weights that go with a model wherever it is saved. */
const COMPANIONS =
  /^(generation_config\.json|(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json|merges\.txt|tokenizer\.model|chat_template\.(jinja|json)|(LICENSE|NOTICE).*)$/;

// Tables are compared, and cut to some of their rows, in parts of this many numbers.
const COMPARED = 2 ** 20;

/**
 * A Hugging Face directory of a Qwen2-, Qwen3- or Llama-shaped decoder: `config.json` and safetensors, one file or shards.
 * Tensors are read one at a time, so that a model is never whole in host memory. Names are those inside a causal
 * language model, `model.layers.0...`; a checkpoint of the backbone alone, without `model.`, answers to them too, and so
 * does one with the names of a wrapper in front. It means what transformers makes of it, or is refused.
 */
export class Pretrained {
  /** Directory that it was read from. */
  readonly folder: string;
  /** Architecture; with a head of its own where the weights have one, whatever config.json says. */
  readonly config: DecoderConfig;
  /** What was read otherwise than the files say, or not at all: sentences for people. */
  readonly notes: readonly string[];
  #files: ModelFiles;
  #tensors: ReadonlyMap<string, TensorPlace>;
  #adapter: AdapterBeside | undefined;

  private constructor(
    folder: string,
    config: DecoderConfig,
    notes: readonly string[],
    files: ModelFiles,
    tensors: ReadonlyMap<string, TensorPlace>,
    adapter?: AdapterBeside,
  ) {
    this.folder = folder;
    this.config = config;
    this.notes = notes;
    this.#files = files;
    this.#tensors = tensors;
    this.#adapter = adapter;
  }

  /**
   * Reads the config and the headers of all shards, and compares the two.
   * @throws {UserError} if the directory lacks them or holds an adapter that cannot be added, the architecture cannot be used, a file is
   * damaged, or a tensor of the backbone is missing or has another shape than the config asks for.
   */
  static async open(folder: string, files: ModelFiles): Promise<Pretrained> {
    await checkModelFolder(folder, files);
    const path = `${folder}/config.json`;
    const config = readDecoderConfig(new TextDecoder().decode(await files.readFile(path)), path);
    const { tensors, prefix } = nameTensors(await readPlaces(folder, files), folder);
    const notes: string[] = [];
    const adapter = await readAdapterBeside(folder, files, tensors, config.tie_word_embeddings);
    if (adapter) {
      for (const [name, place] of adapter.replaced) tensors.set(name, place);
      notes.push(
        `the PEFT adapter beside the weights of ${folder} is added to ${adapter.factors.size} of them` +
          `${
            adapter.replaced.size > 0 ? ` and replaces ${[...adapter.replaced.keys()].join(", ")}` : ""
          }, as transformers ` +
          "does",
      );
    }
    if (prefix !== "") {
      notes.push(
        `the tensors of ${folder} are those of a wrapped model, read without ${prefix} before their names`,
      );
    }
    const tied = config.tie_word_embeddings;
    // Tying works both ways: a table that is stored under the name of the head alone is the embedding too.
    if (tied && !tensors.has(EMBEDDING) && tensors.has(HEAD)) tensors.set(EMBEDDING, tensors.get(HEAD)!);
    new Pretrained(folder, config, notes, files, tensors).#checkShapes();
    const ownHead = tied && await differ(tensors.get(EMBEDDING), tensors.get(HEAD), files);
    if (ownHead) {
      notes.push(
        `config.json of ${folder} says tie_word_embeddings true, but ${HEAD} differs from ${EMBEDDING}: it is read as ` +
          "a head of its own, as transformers does",
      );
    }
    const meant = ownHead ? { ...config, tie_word_embeddings: false } : config;
    const needed = new Set([EMBEDDING, HEAD, ...blockSpecs(meant).flatMap(partsOf).map(({ name }) => name)]);
    const opened = new Pretrained(folder, meant, notes, files, tensors, adapter);
    if (adapter) await opened.#checkBase(adapter);
    const unused = unusedNote([...tensors.keys()].filter((name) => !needed.has(name)));
    if (unused !== undefined) notes.push(`of ${folder}, ${unused}`);
    return opened;
  }

  /** Throws `UserError` where its head is missing, which a model of vectors does without. Nothing is read. */
  checkHead(): void {
    if (!this.config.tie_word_embeddings) this.#place(HEAD);
  }

  /** Reads a tensor, widened to single precision. Throws `UserError` if there is none or its file is cut off. */
  async read(name: string): Promise<StoredTensor> {
    const tensor = await this.#readAt(this.#place(name));
    const factors = this.#adapter?.factors.get(name);
    if (!factors) return tensor;
    const [a, b] = [await this.#readAt(factors.a), await this.#readAt(factors.b)];
    return { ...tensor, data: mergedData({ name, ...tensor }, a, b, this.#adapter!) };
  }

  async #readAt({ path, dtype, shape, begin, end }: TensorPlace): Promise<StoredTensor> {
    const { buffer } = await this.#files.readRange(path, begin, end);
    return { dtype, shape: [...shape], data: widen(buffer, dtype) };
  }

  /** Reads rows `first` to `first + count - 1` of a matrix (rows, cols) -> (count, cols). Throws as `read`. */
  async readRows(name: string, first: number, count: number): Promise<Float32Array<ArrayBuffer>> {
    const { path, dtype, shape: [_rows, cols], begin } = this.#place(name);
    const bytes = cols * BYTES[dtype];
    const { buffer } = await this.#files.readRange(
      path,
      begin + first * bytes,
      begin + (first + count) * bytes,
    );
    return widen(buffer, dtype);
  }

  /**
   * The same model with some rows of its tables alone, row i that of token `kept[i]`; tokens that it does not know have
   * none, and come last. What a trimmed tokenizer leaves of it.
   */
  withTokens(kept: Uint32Array): TensorSource {
    const rows = kept.findIndex((token) => token >= this.config.vocab_size);
    const known = rows < 0 ? kept : kept.subarray(0, rows);
    return {
      folder: this.folder,
      read: async (name) => {
        if (name !== EMBEDDING && name !== HEAD) return await this.read(name);
        const { dtype, shape: [found, cols] } = this.#place(name);
        const data = new Float32Array(known.length * cols);
        const step = Math.max(1, Math.floor(COMPARED / cols));
        for (let first = 0; first < found; first += step) {
          const part = await this.readRows(name, first, Math.min(step, found - first));
          known.forEach((token, row) => {
            const at = token - first;
            if (at < 0 || at >= step) return;
            data.set(part.subarray(at * cols, (at + 1) * cols), row * cols);
          });
        }
        return { dtype, shape: [known.length, cols], data };
      },
    };
  }

  /** Paths of the files that its weights and config are read from. */
  get paths(): string[] {
    const factors = [...this.#adapter?.factors.values() ?? []].flatMap(({ a, b }) => [a, b]);
    const files = [...this.#tensors.values(), ...factors].map(({ path }) => path);
    const configs = ["config.json", ...this.#adapter ? [ADAPTER_CONFIG] : []];
    // Files inside a GGUF file are one on disk.
    return [...new Set([...configs.map((name) => `${this.folder}/${name}`), ...files].map(outerPath))];
  }

  /** Files that go with the model: those of the tokenizer, the licence, and what transformers generates with. */
  async *companions(): AsyncGenerator<ModelFile> {
    for (const name of await this.#files.listFiles(this.folder)) {
      if (COMPANIONS.test(name)) yield { name, bytes: await this.#files.readFile(`${this.folder}/${name}`) };
    }
  }

  #checkShapes(): void {
    const { vocab_size, hidden_size } = this.config;
    const tables = [EMBEDDING, HEAD].map((name) => ({ name, shape: [vocab_size, hidden_size] }));
    // A backbone may come without a head.
    if (!this.#tensors.has(HEAD)) tables.pop();
    for (const { name, shape } of [...tables, ...blockSpecs(this.config).flatMap(partsOf)]) {
      const found = this.#place(name).shape;
      if (found.join() === shape.join()) continue;
      throw new UserError(
        `Cannot load a model from ${this.folder}: tensor ${name} has shape [${found}], expected [${shape}] by its ` +
          "config.json. Fetch config and weights of the same model",
      );
    }
  }

  /** Throws `UserError` where an adapter knows other numbers of the weights that it is added to. */
  async #checkBase({ base, numbers, replaced }: AdapterBeside): Promise<void> {
    for (const number of numbers) {
      if (replaced.has(number.name)) continue;
      const { path, dtype, begin, end } = this.#place(number.name);
      const at = Math.min(begin + number.at * BYTES[dtype], end - BYTES[dtype]);
      const { buffer } = await this.#files.readRange(path, at, at + BYTES[dtype]);
      const [found] = widen(buffer, dtype);
      if (isSameNumber(found, number)) continue;
      const named = this.config as { _name_or_path?: unknown };
      const weights = typeof named._name_or_path === "string" && named._name_or_path !== ""
        ? ` (${named._name_or_path} by its config.json)`
        : "";
      throw new UserError(
        `Cannot load a model from ${this.folder}${weights}: the adapter beside its weights was made for ` +
          `${
            base || "another model"
          }, whose ${number.name} has ${number.value} at ${number.at}, here ${found}. Put it ` +
          `beside the weights that it was made for; where it was merged already, move ${ADAPTER_CONFIG} away`,
      );
    }
  }

  #place(name: string): TensorPlace {
    const place = this.#tensors.get(name);
    if (place) return place;
    throw new UserError(
      name === HEAD
        ? `Cannot load a language model from ${this.folder}: it has no ${HEAD}, and its config.json says ` +
          "tie_word_embeddings false. Set that to true if the output matrix is the embedding, or fetch the model " +
          "with its head"
        : `Cannot load a model from ${this.folder}: tensor ${name} is missing among its ${this.#tensors.size} ` +
          `tensors. Expected the weights of a ${this.config.model_type} decoder`,
    );
  }
}

/** Whether two tables of one shape hold different numbers; false where one is not there or both are one. */
async function differ(
  a: TensorPlace | undefined,
  b: TensorPlace | undefined,
  files: ModelFiles,
): Promise<boolean> {
  if (a === undefined || b === undefined || a === b) return false;
  const count = (a.end - a.begin) / BYTES[a.dtype];
  const read = async ({ path, begin, dtype }: TensorPlace, from: number, to: number) => {
    const { buffer } = await files.readRange(path, begin + from * BYTES[dtype], begin + to * BYTES[dtype]);
    return widen(buffer, dtype);
  };
  for (let from = 0; from < count; from += COMPARED) {
    const to = Math.min(count, from + COMPARED);
    const [x, y] = await Promise.all([read(a, from, to), read(b, from, to)]);
    if (x.some((value, at) => value !== y[at])) return true;
  }
  return false;
}
