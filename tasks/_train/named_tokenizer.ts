import { join } from "node:path";
import { z } from "zod";
import { diskFiles } from "../../base/files/disk.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { VECTOR_SCALINGS } from "../../sid/normalize.ts";
import {
  readItemTokenizer,
  type StoredItemTokenizer,
  tokenizerFolder,
} from "../../train/etegrec/item_tokenizer.ts";
import { readTorchCheckpoint } from "../../models/torch/checkpoint.ts";
import { publishedTokenizer } from "../../train/etegrec/published_tokenizer.ts";
import { FILES, readSids } from "../_sid/folder.ts";

/** Methods of `genrec sid` whose codebooks lie in the latents of an autoencoder of MLPs. */
const METHODS = ["rqvae", "rqvae-v2", "letter"];
/** How far vectors may be from those that the SIDs were made of, in numbers of about 1. */
const TOLERANCE = 1e-3;

/** Weights of what `--tokenizer` names: the tokenizer stage of another run, a folder of `genrec sid`, or a `.pth`. */
export async function tokenizerWeights(path: string): Promise<string> {
  if (isTorchFile(path)) return path;
  if (await isFile(join(path, FILES.recipe))) return join(path, FILES.codebooks);
  return `${await tokenizerFolder(path)}/rqvae.safetensors`;
}

/**
 * The tokenizer that `--tokenizer` names, for item vectors (N, D).
 * @throws {UserError} where there is none, its method has no autoencoder, or its SIDs were made of other vectors.
 */
export async function readNamedTokenizer(path: string, vectors: Embeddings): Promise<StoredItemTokenizer> {
  if (isTorchFile(path)) {
    return publishedTokenizer(readTorchCheckpoint(await diskFiles.readFile(path), path), path);
  }
  if (!await isFile(join(path, FILES.recipe))) return await readItemTokenizer(await tokenizerFolder(path));
  const { recipe: { method, settings }, model, embeddings } = await readSids(path);
  if (!METHODS.includes(method)) {
    throw new UserError(
      `Cannot use the tokenizer ${path}: its SIDs are of method ${method}, which has no encoder and decoder to train, ` +
        `expected ${METHODS.join(", ")}. Make SIDs with --method rqvae, or leave out --tokenizer`,
    );
  }
  checkVectors(path, vectors, embeddings);
  return { ...model, normalize: z.enum(VECTOR_SCALINGS).parse(settings.normalize) };
}

function isTorchFile(path: string): boolean {
  return /\.(pth|pt)$/.test(path);
}

function checkVectors(path: string, vectors: Embeddings, coded: Embeddings): void {
  const same = vectors.rows === coded.rows && vectors.dim === coded.dim;
  const row = same
    ? vectors.data.findIndex((value, i) =>
      Math.abs(value - coded.data[i]) > TOLERANCE * Math.max(1, Math.abs(value))
    )
    : -1;
  if (same && row < 0) return;
  const found = same
    ? `vector ${Math.floor(row / vectors.dim)} differs`
    : `${vectors.rows} vectors of ${vectors.dim} numbers are given, its SIDs were made of ${coded.rows} of ${coded.dim}`;
  throw new UserError(
    `Cannot use the tokenizer ${path} with these item vectors: ${found}, expected those in its ${FILES.embeddings}. ` +
      `Pass --embeddings ${join(path, FILES.embeddings)}, or make the SIDs of the vectors given`,
  );
}
