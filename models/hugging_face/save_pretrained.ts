import { joinPieces } from "../../base/files/pieces.ts";
import { UserError } from "../../base/user_error.ts";
import { type DecoderConfig, writeDecoderConfig } from "../decoder/config.ts";
import {
  ENCODER_DECODER_TYPE,
  type EncoderDecoderConfig,
  writeEncoderDecoderConfig,
} from "../encoder_decoder/config.ts";
import type { ModelFile } from "./pretrained.ts";
import type { SavedFile } from "./saved_file.ts";
import { SHARDED, SINGLE } from "./weight_files.ts";
import { safetensorsPieces, type TensorPart, type TensorShape } from "../safetensors/safetensors.ts";
import { BYTES, sizeOf, type StoredFormat } from "../safetensors/header.ts";

/** How {@link savePretrained} stores a model. */
export interface SavePretrainedOptions {
  /** Number format of all tensors; default "F32". */
  dtype?: StoredFormat;
  /** Most bytes of tensors in a file, unless one tensor alone has more; default 2 GB. */
  maxShardSize?: number;
  /**
   * Whether weights in one file have an index too. vLLM and SGLang read all files of safetensors in a folder unless an index
   * names some, so weights that have other ones beside them need it. Default: false.
   */
  isIndexed?: boolean;
  /** Files that go with the model, such as those of its tokenizer: see `Pretrained.companions()`. */
  companions?: Iterable<ModelFile> | AsyncIterable<ModelFile>;
}

const DEFAULT_SHARD_SIZE = 2e9;

/** The files of {@link pretrainedFiles}, each whole. Memory holds one shard and one tensor at a time. Throws as that does. */
export async function* savePretrained(
  config: DecoderConfig | EncoderDecoderConfig,
  shapes: readonly TensorShape[],
  tensors: AsyncIterable<TensorShape & TensorPart>,
  options: SavePretrainedOptions = {},
): AsyncGenerator<ModelFile> {
  for await (const { name, bytes } of pretrainedFiles(config, shapes, tensors, options)) {
    yield { name, bytes: bytes instanceof Uint8Array ? bytes : await joinPieces(bytes) };
  }
}

/**
 * Files of a directory that Hugging Face transformers (4 and 5) loads as it is: weights in one file or in shards with
 * an index, `companions`, and `config.json` last, so that a directory that was not finished is told by its absence.
 * `shapes` announces the `tensors` in their order; each comes whole, or in parts one after the other. Weights are written
 * as they come, so that memory holds no more of them; each file is to be written before the next is asked for.
 * @throws {UserError} for a value that is not finite or too large for the number format.
 * @throws {RangeError} if tensors come in another order or number than was announced, or two files have one name.
 */
export async function* pretrainedFiles(
  config: DecoderConfig | EncoderDecoderConfig,
  shapes: readonly TensorShape[],
  tensors: AsyncIterable<TensorShape & TensorPart>,
  {
    dtype = "F32",
    maxShardSize = DEFAULT_SHARD_SIZE,
    isIndexed = false,
    companions = [],
  }: SavePretrainedOptions = {},
): AsyncGenerator<SavedFile> {
  const shards = planShards(shapes, dtype, maxShardSize);
  const nameOf = (shard: number) => shards.length === 1 ? SINGLE : shardName(shard, shards.length);
  const source = tensors[Symbol.asyncIterator]();
  for (const [number, shard] of shards.entries()) {
    let missing = shard.length;
    const parts = async function* () {
      while (missing > 0) {
        const { value, done } = await source.next();
        if (done) {
          throw new RangeError(`Cannot save the model: tensors of ${nameOf(number)} and later did not come`);
        }
        checkFinite(value);
        const { name, shape, from, data } = value;
        yield { name, from, data };
        if (from === undefined || from + data.length === sizeOf(shape)) missing--;
      }
    };
    yield { name: nameOf(number), bytes: safetensorsPieces(shard, parts(), { dtype }) };
    if (missing > 0) {
      throw new RangeError(
        `Cannot save ${nameOf(number)}: it is to be written before the next file is asked for`,
      );
    }
  }
  const { value: extra, done } = await source.next();
  if (!done) throw new RangeError(`Cannot save tensor ${extra.name}: it was not announced`);

  const taken = new Set(shards.map((_, number) => nameOf(number)));
  if (shards.length > 1 || isIndexed) {
    taken.add(SHARDED);
    yield jsonFile(SHARDED, shardIndex(shards, nameOf, dtype));
  }
  taken.add("config.json");
  for await (const file of companions) {
    if (taken.has(file.name)) throw new RangeError(`Cannot save ${file.name} twice`);
    taken.add(file.name);
    yield file;
  }
  const text = config.model_type === ENCODER_DECODER_TYPE
    ? writeEncoderDecoderConfig(config, dtype)
    : writeDecoderConfig(config, dtype);
  yield { name: "config.json", bytes: new TextEncoder().encode(text) };
}

function checkFinite({ name, from = 0, data }: TensorPart): void {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new UserError(
    `Cannot save the model: tensor ${name} holds ${data[bad]} at ${from + bad}, expected finite numbers. ` +
      "Go back to an earlier checkpoint",
  );
}

/** Tensors in their order, cut where the next would make a file larger than `maxShardSize` bytes. */
function planShards(
  shapes: readonly TensorShape[],
  dtype: StoredFormat,
  maxShardSize: number,
): TensorShape[][] {
  const shards: TensorShape[][] = [];
  let room = 0;
  for (const tensor of shapes) {
    const bytes = sizeOf(tensor.shape) * BYTES[dtype];
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = maxShardSize;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  if (shards.length === 0) throw new RangeError("Cannot save a model without tensors");
  return shards;
}

function shardName(shard: number, count: number): string {
  const padded = (number: number) => String(number).padStart(5, "0");
  return `model-${padded(shard + 1)}-of-${padded(count)}.safetensors`;
}

/** What `model.safetensors.index.json` holds: sizes, and the file of each tensor. */
function shardIndex(
  shards: readonly TensorShape[][],
  nameOf: (shard: number) => string,
  dtype: StoredFormat,
) {
  const total_parameters = shards.flat().reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const places = shards.flatMap((tensors, shard) =>
    tensors.map(({ name }) => [name, nameOf(shard)] as const)
  );
  return {
    metadata: { total_parameters, total_size: total_parameters * BYTES[dtype] },
    weight_map: Object.fromEntries(places.toSorted(([a], [b]) => a < b ? -1 : 1)),
  };
}

function jsonFile(name: string, value: unknown): ModelFile {
  return { name, bytes: new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n") };
}
