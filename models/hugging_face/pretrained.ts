import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import type { ReadFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import { type DecoderConfig, readDecoderConfig } from "../decoder/config.ts";
import { blockSpecs, EMBEDDING, HEAD } from "../decoder/blocks.ts";
import { partsOf } from "../parameters/parts.ts";
import { type StoredTensor, widen } from "../safetensors/safetensors.ts";
import { BYTES, readFileHeader, type TensorEntry } from "../safetensors/header.ts";

/** What loading a model reads. */
export type ModelFiles = Pick<ReadFiles, "readFile" | "readRange" | "fileSize" | "listFiles">;

type Place = TensorEntry & { path: string };

/** A file of a model directory. */
export interface ModelFile {
  /** Name in the directory. */
  name: string;
  /** Contents. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** Weights in one file. */
export const SINGLE = "model.safetensors";
/** Where weights in several files are. */
export const SHARDED = "model.safetensors.index.json";
const ShardIndex = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** Files beside config and weights that go with a model wherever it is saved. */
const COMPANIONS =
  /^(generation_config\.json|(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json|merges\.txt|tokenizer\.model|chat_template\.(jinja|json)|(LICENSE|NOTICE).*)$/;

/** What transformers puts before the names of a backbone inside a language model. */
const BACKBONE = "model.";

/**
 * A Hugging Face directory of a Qwen2-, Qwen3- or Llama-shaped decoder: `config.json` and safetensors, one file or shards.
 * Tensors are read one at a time, so that a model is never whole in host memory. Names are those inside a causal
 * language model, `model.layers.0...`; a checkpoint of the backbone alone, without `model.`, answers to them too.
 */
export class Pretrained {
  /** Directory that it was read from. */
  readonly folder: string;
  /** Architecture. */
  readonly config: DecoderConfig;
  #files: ModelFiles;
  #tensors: ReadonlyMap<string, Place>;

  private constructor(
    folder: string,
    config: DecoderConfig,
    files: ModelFiles,
    tensors: ReadonlyMap<string, Place>,
  ) {
    this.folder = folder;
    this.config = config;
    this.#files = files;
    this.#tensors = tensors;
  }

  /**
   * Reads the config and the headers of all shards, and compares the two.
   * @throws {UserError} if the directory lacks them, the architecture cannot be used, a file is damaged, or a tensor of
   * the backbone is missing or has another shape than the config asks for.
   */
  static async open(folder: string, files: ModelFiles): Promise<Pretrained> {
    const names = await files.listFiles(folder);
    const need = (name: string) => {
      if (!names.includes(name)) {
        throw new UserError(
          `Cannot load a model from ${folder}: it has no ${name}. Expected a Hugging Face directory with ` +
            `config.json and ${SINGLE}, or shards and ${SHARDED}`,
        );
      }
    };
    need("config.json");
    const path = `${folder}/config.json`;
    const config = readDecoderConfig(new TextDecoder().decode(await files.readFile(path)), path);
    const tensors = new Map<string, Place>();
    if (names.includes(SHARDED)) {
      const shards = await readShardIndex(`${folder}/${SHARDED}`, files);
      for (const shard of new Set(shards.values())) {
        need(shard);
        for (const place of await readPlaces(`${folder}/${shard}`, files)) {
          if (shards.get(place.name) === shard) tensors.set(place.name, place);
        }
      }
      const missing = [...shards].find(([name]) => !tensors.has(name));
      if (missing) {
        throw new UserError(
          `Cannot load a model from ${folder}: ${SHARDED} says that tensor ${missing[0]} is in ${
            missing[1]
          }, ` +
            `which does not have it. Fetch the directory again`,
        );
      }
    } else {
      need(SINGLE);
      for (const place of await readPlaces(`${folder}/${SINGLE}`, files)) tensors.set(place.name, place);
    }
    const pretrained = new Pretrained(folder, config, files, tensors);
    pretrained.#checkShapes();
    return pretrained;
  }

  /** Reads a tensor, widened to single precision. Throws `UserError` if there is none or its file is cut off. */
  async read(name: string): Promise<StoredTensor> {
    const { path, dtype, shape, begin, end } = this.#place(name);
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

  /** Paths of the files that its weights and config are read from. */
  get paths(): string[] {
    return [`${this.folder}/config.json`, ...new Set([...this.#tensors.values()].map(({ path }) => path))];
  }

  /** Files that go with the model: those of the tokenizer, the licence, and what transformers generates with. */
  async *companions(): AsyncGenerator<ModelFile> {
    for (const name of await this.#files.listFiles(this.folder)) {
      if (COMPANIONS.test(name)) yield { name, bytes: await this.#files.readFile(`${this.folder}/${name}`) };
    }
  }

  #checkShapes(): void {
    const { vocab_size, hidden_size, tie_word_embeddings: tied } = this.config;
    const tables = [EMBEDDING, HEAD].map((name) => ({ name, shape: [vocab_size, hidden_size] }));
    // A backbone may come without a head, and a head that is tied is not read.
    if (tied || !this.#tensors.has(HEAD)) tables.pop();
    for (const { name, shape } of [...tables, ...blockSpecs(this.config).flatMap(partsOf)]) {
      const found = this.#place(name).shape;
      if (found.join() === shape.join()) continue;
      throw new UserError(
        `Cannot load a model from ${this.folder}: tensor ${name} has shape [${found}], expected [${shape}] by its ` +
          "config.json. Fetch config and weights of the same model",
      );
    }
  }

  #place(name: string): Place {
    const bare = name.startsWith(BACKBONE) ? name.slice(BACKBONE.length) : name;
    const place = this.#tensors.get(name) ?? this.#tensors.get(bare);
    if (place) return place;
    throw new UserError(
      `Cannot load a model from ${this.folder}: tensor ${name} is missing among its ${this.#tensors.size} tensors. ` +
        `Expected the weights of a ${this.config.model_type} decoder`,
    );
  }
}

async function readPlaces(path: string, files: ModelFiles): Promise<Place[]> {
  const { entries } = await readFileHeader(path, files);
  return entries.map((entry) => ({ ...entry, path }));
}

async function readShardIndex(path: string, files: ModelFiles): Promise<Map<string, string>> {
  const text = new TextDecoder().decode(await files.readFile(path));
  return new Map(Object.entries(parseJson(text, path, ShardIndex).weight_map));
}
