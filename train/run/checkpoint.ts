import { createHash } from "node:crypto";
import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import type { FilePiece, PieceFile } from "../../base/files/pieces.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { Decoder, type HeldFormat } from "../../models/decoder/decoder.ts";
import { EMBEDDING, HEAD } from "../../models/decoder/blocks.ts";
import type { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { loadEncoderDecoder } from "../../models/encoder_decoder/load.ts";
import { ENCODER_DECODER_TYPE, parseEncoderDecoderConfig } from "../../models/encoder_decoder/config.ts";
import { adapterNames, isAdapterTensor } from "../../models/parameters/lora.ts";
import { mergeLora } from "../../models/parameters/merge_lora.ts";
import type { Optimizer, StoredState } from "../../models/optimizer/optimizer.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import type { Parameters, TensorMap } from "../../models/parameters/parameters.ts";
import { MOST_READ, readParts } from "../../models/parameters/flat_segments.ts";
import { BaseNumbers } from "../../models/hugging_face/adapter_base.ts";
import { peftAdapterFiles } from "../../models/hugging_face/peft_adapter.ts";
import { type ModelFile, Pretrained } from "../../models/hugging_face/pretrained.ts";
import { BYTES, readFileHeader, sizeOf, type StoredFormat } from "../../models/safetensors/header.ts";
import { findNonFinite, safetensorsPieces, widen } from "../../models/safetensors/safetensors.ts";
import { DivergenceError } from "./divergence.ts";
import type { TrainerState } from "./loss_log.ts";
import { pretrainedFiles } from "../../models/hugging_face/save_pretrained.ts";
import type { SavedFile } from "../../models/hugging_face/saved_file.ts";

const State = z.strictObject({
  step: z.int().min(0),
  best: z.strictObject({ score: z.number(), step: z.int(), stale: z.int() }).nullable(),
  seconds: z.number(),
  pending: z.strictObject({ sums: z.array(z.number()), shares: z.array(z.array(z.number())) }),
  validationDue: z.boolean().default(false),
}) satisfies z.ZodType<TrainerState>;

/** What a checkpoint is made of. */
export interface CheckpointParts {
  decoder: Decoder;
  optimizer: Optimizer;
  state: TrainerState;
  /** Files that go with the model, such as those of its tokenizer. */
  companions: readonly ModelFile[];
  /** Name or directory of the model below the adapters, where there are any. */
  baseModel: string;
  /** Number format of the weights; what training goes on with stays F32. Default "F32". */
  dtype?: StoredFormat;
}

/**
 * Files of a checkpoint: a directory that Hugging Face transformers loads (averaged weights where EMA is on, adapters
 * merged), the adapters and the tokenizer in `adapter/`, as PEFT loads them, and what training needs to go on
 * (`trainer.safetensors`, `trainer.json`). The model is read back one tensor at a time.
 * @throws {DivergenceError} for a weight that is not finite.
 */
export async function* checkpointFiles(
  { decoder, optimizer, state, companions, baseModel, dtype }: CheckpointParts,
): AsyncGenerator<SavedFile> {
  const { parameters, lora } = decoder;
  const adapters: TensorMap = new Map();
  if (lora) {
    for await (const { name, ...tensor } of parameters.readTensors(optimizer.average, isAdapterTensor)) {
      adapters.set(name, tensor);
    }
  }
  const tensors = parameters.readPieces(optimizer.average, (name) => !isAdapterTensor(name));
  const own = parameters.specs.flatMap(partsOf).filter(({ name }) => !isAdapterTensor(name));
  const base = new BaseNumbers();
  const adapted = (name: string) => adapters.has(adapterNames(name).a);
  const weights = lora ? mergeLora(base.watched(tensors, adapted), adapters, lora) : tensors;
  // Who has a tokenizer may be served elsewhere, and what training needs lies beside the weights.
  const options = { companions, dtype, isIndexed: companions.length > 0 };
  for await (const { name, bytes } of pretrainedFiles(decoder.config, own, weights, options)) {
    yield { name, bytes: bytes instanceof Uint8Array ? bytes : finiteFile(bytes, state) };
  }
  if (lora) {
    // PEFT replaces modules, and a tied head is one of its own there.
    const shape = [decoder.config.vocab_size, decoder.config.hidden_size];
    const replaced = [EMBEDDING, HEAD].map((name) => ({ name, shape }));
    const parts = async function* () {
      for (const [name, { data }] of adapters) yield { name, data };
      for (const { name } of replaced) {
        const source = name === HEAD ? decoder.headName : name;
        const pieces = parameters.readPieces(optimizer.average, (wanted) => wanted === source);
        for await (const { from, data } of pieces) yield { name, from, data };
      }
    };
    // With the tokenizer beside it, PEFT gives the base model the rows of the new tokens before it loads the tables.
    const tokenizer = companions.filter(({ name }) => TOKENIZER.test(name));
    const options = { baseModel, replaced, metadata: base.metadata() };
    const files = [...peftAdapterFiles(lora, parts(), options), ...tokenizer];
    for (const { name, bytes } of files) {
      yield {
        name: `adapter/${name}`,
        bytes: bytes instanceof Uint8Array ? bytes : finiteFile(bytes, state),
      };
    }
  }
  yield* trainerFiles(optimizer, state);
}

/** A file of weights that throws {@link DivergenceError} where one is not finite. */
function finiteFile(file: PieceFile, state: TrainerState): PieceFile {
  return { ...file, pieces: finitePieces(file, state) };
}

async function* finitePieces({ pieces }: PieceFile, { step }: TrainerState): AsyncGenerator<FilePiece> {
  try {
    yield* pieces;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new DivergenceError(
      `${error.message}. The checkpoints before step ${step} are intact. ` +
        "Start another run with a lower --learning-rate",
    );
  }
}

/**
 * Files of a checkpoint of a network that no other library reads: `config.json` with its shape, `model.safetensors` (averaged
 * weights where EMA is on), and what training needs to go on.
 */
export async function* networkFiles(
  { parameters, shape }: { parameters: Parameters; shape: unknown },
  optimizer: Optimizer,
  state: TrainerState,
): AsyncGenerator<SavedFile> {
  const shapes = parameters.specs.flatMap(partsOf);
  yield { name: "config.json", bytes: new TextEncoder().encode(JSON.stringify(shape, null, 2) + "\n") };
  yield {
    name: "model.safetensors",
    bytes: safetensorsPieces(shapes, parameters.readPieces(optimizer.average)),
  };
  yield* trainerFiles(optimizer, state);
}

/** What training needs to go on: `trainer.safetensors` and `trainer.json`, which {@link loadTrainer} reads. */
export async function* trainerFiles(optimizer: Optimizer, state: TrainerState): AsyncGenerator<SavedFile> {
  yield await optimizerFile("trainer.safetensors", optimizer);
  yield { name: "trainer.json", bytes: new TextEncoder().encode(formatState(state)) };
}

/** Bytes of arrays that V8 lets stand before it collects them: 57 to 73 MiB after checkpoints of 17 to 100 MiB. */
const UNCOLLECTED = 64 * 2 ** 20;
/** Forms that each number of a model takes on its way to the file: as the adapter hands it over, a copy, joined, whole. */
const FORMS = 4;
/** Forms that stand until they are collected: of a model all but the first, of the optimizer's three arrays the copy. */
const LEFT = 6;

/**
 * Bytes of the process that writing `saves` checkpoints of models takes beside the peak of `device`: what is on its way to the
 * file, as much as is read at a time, and what of all before is not collected yet. On a CPU adapter it takes what was given
 * back since the peak, as by a validation.
 */
export function savingBytes(
  device: Pick<Device, "isCpu" | "memory">,
  saves: number,
  ...models: readonly Pick<Parameters, "specs" | "count">[]
): number {
  const numbers = models.reduce((sum, { count }) => sum + count, 0);
  const sizes = models.flatMap(({ specs }) => specs.map(({ rows, cols, table }) => table ? 0 : rows * cols));
  const most = Math.max(...sizes, Math.min(MOST_READ, numbers));
  const taken = 4 * FORMS * most + Math.min(UNCOLLECTED, saves * 4 * LEFT * numbers);
  return Math.max(0, taken - (device.isCpu ? device.memory.reusable : 0));
}

/** SHA-256 of all that is trained of models. */
export async function valuesDigest(...models: Parameters[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { device, segments } of models) {
    for await (const { data } of readParts(device, segments.map(({ values }) => values))) hash.update(data);
  }
  return hash.digest("hex");
}

/** Arrays of an optimizer, which {@link openOptimizer} reads; they are read back while the file is written. */
export async function optimizerFile(name: string, optimizer: Optimizer): Promise<SavedFile> {
  const { shapes, parts } = await optimizer.readState();
  return { name, bytes: safetensorsPieces(shapes, parts) };
}

/** Files of a tokenizer. */
const TOKENIZER = /^(tokenizer|special_tokens_map|added_tokens|chat_template)/;

/** Text of `trainer.json`. */
export function formatState(state: TrainerState): string {
  return JSON.stringify(state, null, 2) + "\n";
}

/** Builds the decoder of a checkpoint or Hugging Face directory. Throws {@link UserError} for what cannot be used. */
export async function loadDecoder(
  device: Device,
  directory: string,
  format: HeldFormat = "float32",
): Promise<Decoder> {
  const pretrained = await Pretrained.open(directory, diskFiles);
  return await Decoder.load(device, pretrained, pretrained.config, { int8: format === "int8" });
}

/**
 * A model whose answers are searched for, whatever its architecture.
 * @throws {UserError} as the two ways to load one do, and for one of another kind than a decoder in eight bits.
 */
export async function loadModel(
  device: Device,
  directory: string,
  format: HeldFormat = "float32",
): Promise<Decoder | EncoderDecoder> {
  if (!await codeSizesOf(directory)) return await loadDecoder(device, directory, format);
  if (format === "float32") return await loadEncoderDecoder(device, directory, diskFiles);
  throw new UserError(
    `Cannot ask ${directory} with --weights ${format}: it is an encoder-decoder, expected a decoder such as those of ` +
      "`genrec sft`. Leave out --weights",
  );
}

/** What the config.json of a model calls its architecture, such as `qwen2`. */
export async function architectureOf(directory: string): Promise<string> {
  const config = await readJson(`${directory}/config.json`, z.looseObject({ model_type: z.unknown() }));
  return String(config.model_type);
}

/**
 * Codewords of each level where the model of a checkpoint is an encoder-decoder over SIDs, undefined where it is none.
 * @throws {UserError} for an encoder-decoder of words, and where there is no config.
 */
export async function codeSizesOf(directory: string): Promise<number[] | undefined> {
  const path = `${directory}/config.json`;
  const config = await readJson(path, z.looseObject({ model_type: z.unknown() }));
  if (config.model_type !== ENCODER_DECODER_TYPE) return undefined;
  const { code_sizes } = parseEncoderDecoderConfig(config, path);
  if (code_sizes.length > 0) return code_sizes;
  throw new UserError(
    `Cannot use ${path}: it is a T5 of words, expected one of SIDs, with code_sizes. Train one with ` +
      "`genrec baseline --model tiger`",
  );
}

/** Optimizer arrays and position of a checkpoint. Throws {@link UserError} as {@link openOptimizer}. */
export async function loadTrainer(
  directory: string,
): Promise<{ arrays: StoredState; state: TrainerState }> {
  const arrays = await openOptimizer(`${directory}/trainer.safetensors`);
  return { arrays, state: await readJson(`${directory}/trainer.json`, State) };
}

/**
 * Arrays of {@link optimizerFile}, which are read when they are asked for.
 * @throws {UserError} for a file that is cut off, and when numbers are read that are not finite.
 */
export async function openOptimizer(source: string): Promise<StoredState> {
  const { entries } = await readFileHeader(source, diskFiles);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return {
    lengths: new Map(entries.map(({ name, shape }) => [name, sizeOf(shape)])),
    async read(name, from, length) {
      const { dtype, begin } = byName.get(name)!;
      const at = begin + from * BYTES[dtype];
      const bytes = await diskFiles.readRange(source, at, at + length * BYTES[dtype]);
      const data = widen(bytes.buffer, dtype);
      const bad = findNonFinite(new Map([[name, { data }]]));
      if (!bad) return data;
      throw new UserError(
        `Cannot resume from ${source}: array ${name} holds ${bad.value} at ${
          from + bad.index
        }, expected finite ` +
          "numbers. Start another run",
      );
    },
  };
}
