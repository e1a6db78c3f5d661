import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { RqVae } from "../../models/quantizer/rq_vae.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { checkEncoderWidth, codeItems } from "../../sid/quantizer/codes.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import type { SidCodes } from "../../sid/method.ts";
import {
  normalize,
  type Normalizer,
  normalizerOf,
  normalizerTensors,
  VECTOR_SCALINGS,
} from "../../sid/normalize.ts";
import { storedShape } from "../../sid/methods/rq_vae.ts";
import { RunDirectory } from "../run/directory.ts";

const Facts = z.strictObject({
  codebookSizes: z.array(z.int().min(1)).min(1),
  normalize: z.enum(VECTOR_SCALINGS),
});

/** A tokenizer on the host. */
export interface StoredItemTokenizer extends z.output<typeof Facts> {
  /** Weights of an `RqVae`, and the statistics of its inputs. */
  tensors: TensorMap;
}

const NAMES = { weights: "rqvae.safetensors", facts: "rqvae.json" };

/** Files of a tokenizer in a checkpoint. */
export function tokenizerFiles({ tensors, ...facts }: StoredItemTokenizer): ModelFile[] {
  return [
    { name: NAMES.weights, bytes: writeSafetensors(tensors) },
    { name: NAMES.facts, bytes: new TextEncoder().encode(JSON.stringify(facts, null, 2) + "\n") },
  ];
}

/** Where the tokenizer stage in a run directory keeps {@link tokenizerFiles}. Throws {@link UserError} where there is none. */
export async function tokenizerFolder(path: string): Promise<string> {
  const run = new RunDirectory(path);
  if (await run.hasCheckpoint()) return await run.checkpoint("best");
  throw new UserError(
    `Cannot use the tokenizer ${path}: there is none, expected the folder \`tokenizer\` of a run of \`genrec etegrec\` ` +
      "that is past this stage. Check the path, or train one without --tokenizer",
  );
}

/** Reads {@link tokenizerFiles}. Throws {@link UserError} where they are missing or damaged. */
export async function readItemTokenizer(folder: string): Promise<StoredItemTokenizer> {
  const facts = await readJson(`${folder}/${NAMES.facts}`, Facts);
  const path = `${folder}/${NAMES.weights}`;
  return { ...facts, tensors: new Map(readSafetensors(await diskFiles.readFile(path), path)) };
}

/** An RQ-VAE with the vectors of all items, which it codes. */
export class ItemTokenizer {
  /** The autoencoder. */
  readonly model: RqVae;
  /** What it reads of each item: normalised vectors (N, width). */
  readonly inputs: Embeddings;
  readonly #vectors: Embeddings;
  readonly #normalizer: Normalizer;
  readonly #facts: z.output<typeof Facts>;

  /**
   * `vectors` (N, width) as they came.
   * @throws {UserError} if the tokenizer reads another width.
   */
  constructor(device: Device, vectors: Embeddings, { tensors, ...facts }: StoredItemTokenizer) {
    const shape = storedShape(facts.codebookSizes, tensors, false);
    checkEncoderWidth(vectors, shape.width);
    this.#facts = facts;
    this.#vectors = vectors;
    this.#normalizer = normalizerOf(tensors, facts.normalize);
    this.inputs = normalize(vectors, this.#normalizer);
    this.model = new RqVae(device, shape);
    this.model.load(tensors, NAMES.weights);
  }

  /** Codes of all items. */
  code(): Promise<SidCodes> {
    return codeItems(this.model, this.#vectors, this.inputs, this.#normalizer);
  }

  /** Its files as it is now. */
  async files(): Promise<ModelFile[]> {
    const tensors = new Map([...await this.model.tensors(), ...normalizerTensors(this.#normalizer)]);
    return tokenizerFiles({ ...this.#facts, tensors });
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.model.destroy();
  }
}

/** Sizes that a tokenizer should have. */
export interface TokenizerSizes {
  /** Numbers of an item's vector. */
  width: number;
  levels: number;
  codebookSize: number;
  latentDim: number;
}

/** Throws {@link UserError} unless a tokenizer that was made before has the sizes of the vectors and of the flags. */
export function checkTokenizer(
  { codebookSizes, tensors }: StoredItemTokenizer,
  source: string,
  { width, levels, codebookSize, latentDim }: TokenizerSizes,
): void {
  const shape = storedShape(codebookSizes, tensors, false);
  const compared: [what: string, found: number | string, expected: number | string, says: string][] = [
    ["reads vectors of width", shape.width, width, "the vectors given have"],
    ["has levels", codebookSizes.length, levels, "--tokenizer-levels says"],
    ["has codewords", codebookSizes[0], codebookSize, "--tokenizer-codebook-size says"],
    ["has latents of width", shape.latentWidth, latentDim, "--tokenizer-latent-dim says"],
  ];
  for (const [what, found, expected, says] of compared) {
    if (found === expected) continue;
    throw new UserError(
      `Cannot use the tokenizer ${source}: it ${what} ${found}, ${says} ${expected}, expected the same. Use ` +
        "the vectors and sizes that it was trained with, or train another without --tokenizer",
    );
  }
}
