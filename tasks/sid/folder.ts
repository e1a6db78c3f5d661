import { join } from "node:path";
import { z } from "zod";
import { INDEX_STYLES, loadIndex, offsetCodes, TOKEN_ORDERS } from "../../data/index_file.ts";
import { readJson } from "../../data/json_file.ts";
import { readMatrix } from "../../data/npy.ts";
import { diskFiles } from "../../data/read_files.ts";
import { UserError } from "../../data/user_error.ts";
import { readSafetensors } from "../../models/safetensors.ts";
import { COLLISION_POLICIES } from "../../sid/collisions/registry.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import type { SidModel } from "../../sid/method.ts";
import { parseToken } from "../../sid/tokens.ts";
import { writeAtomic } from "../../train/run_directory.ts";
import { makeFolder } from "../_output.ts";
import { methods } from "./flags.ts";

/** Names of the files in a folder of SIDs. */
export const FILES = {
  index: "index.json",
  newTokens: "new_tokens.json",
  report: "sid.report.json",
  page: "sid.report.html",
  codebooks: "codebooks.safetensors",
  /** Vectors that the codes describe, after fusing and scaling. */
  embeddings: "items.npy",
  /** Codewords from 0 before the collision policy, (N, L). */
  codes: "codes.npy",
  /** Items that `--add` brought, which the dataset does not have. */
  added: "added.jsonl",
  recipe: "sid.json",
} as const;

const count = z.int().min(0);
const Source = z.strictObject({
  /** A file as it was named, or the dataset whose words were embedded. */
  from: z.string(),
  /** SHA-256 of the file. */
  sha256: z.string().optional(),
  dim: count,
});

/** `sid.json`: how the SIDs came about, and what it takes to go on. */
const Recipe = z.strictObject({
  format: z.literal("genrec-sids"),
  version: z.literal(1),
  /** Version of genrec. */
  genrec: z.string(),
  method: z.enum(methods.map(({ name }) => name)),
  settings: z.record(z.string(), z.unknown()),
  collisions: z.enum(COLLISION_POLICIES),
  codeOffset: z.union([z.literal(0), z.literal(1)]),
  indexStyle: z.enum(INDEX_STYLES),
  tokenOrder: z.enum(TOKEN_ORDERS),
  codebookSizes: z.array(count).min(1),
  /** Items that the codebooks were learned from. */
  learnedFrom: count,
  /** Items that were added since. */
  added: count,
  /** What `--data` was, if anything. */
  data: z.string().optional(),
  /** Whether vectors were scaled to length 1 before anything else. */
  normalize: z.boolean(),
  /** What was coded, side by side, each scaled to its weight where there are two. */
  parts: z.array(Source.extend({ weight: z.number() })).min(1).max(2),
  /** What the method aligned its codes with. */
  aligned: Source.optional(),
  /** What made the first part, if its id list told. */
  provider: z.strictObject({
    name: z.string(),
    settings: z.record(z.string(), z.unknown()),
    fields: z.array(z.string()).optional(),
    maxCharacters: z.number().optional(),
    dialect: z.string().optional(),
  }).optional(),
});
export type Recipe = z.output<typeof Recipe>;

/** A folder of SIDs, read back. */
export interface StoredSids {
  recipe: Recipe;
  /** Tokens of every item as in index.json. */
  tokens: string[][];
  /** Codewords of every item, from 0. */
  sids: number[][];
  /** Vectors that the codes describe. */
  embeddings: Embeddings;
  model: SidModel;
}

/** Reads what `genrec sid` wrote. Throws {@link UserError} where files are missing, damaged or do not belong together. */
export async function readSids(folder: string): Promise<StoredSids> {
  const path = (name: string) => join(folder, name);
  if (!await isFile(path(FILES.recipe))) {
    throw new UserError(
      `Cannot use ${folder}: it has no ${FILES.recipe}, expected a folder that \`genrec sid --out\` wrote. Make the ` +
        "SIDs again, or check the path",
    );
  }
  const recipe = await readJson(path(FILES.recipe), Recipe);
  const items = recipe.learnedFrom + recipe.added;
  const tokens = await loadIndex(path(FILES.index), items);
  const codes = offsetCodes(tokens, -recipe.codeOffset);
  const embeddings = readMatrix(await diskFiles.readFile(path(FILES.embeddings)), path(FILES.embeddings));
  if (embeddings.rows !== items) {
    throw new UserError(
      `Cannot use ${
        path(FILES.embeddings)
      }: it has ${embeddings.rows} rows, ${FILES.index} has ${items} items. ` +
        "The files are of different runs, make the SIDs again",
    );
  }
  const tensors = readSafetensors(await diskFiles.readFile(path(FILES.codebooks)), path(FILES.codebooks));
  return {
    recipe,
    tokens,
    sids: codes.map((sid) => sid.map((token) => parseToken(token).codeword)),
    embeddings,
    model: { codebookSizes: recipe.codebookSizes, tensors: new Map([...tensors].map(plain)) },
  };
}

/** Writes files into a folder, each whole or not at all; the index, which training reads, and the recipe come last. */
export async function writeSids(
  folder: string,
  files: ReadonlyMap<string, string | Uint8Array>,
): Promise<void> {
  await makeFolder(folder);
  const last: string[] = [FILES.index, FILES.recipe];
  const order = [...files.keys()].sort((a, b) => last.indexOf(a) - last.indexOf(b));
  if (!files.has(FILES.added)) await Deno.remove(join(folder, FILES.added)).catch(ignoreMissing);
  for (const name of order) await writeAtomic(join(folder, name), files.get(name)!);
}

function plain([name, { shape, data }]: [string, { shape: number[]; data: Float32Array<ArrayBuffer> }]) {
  return [name, { shape, data }] as const;
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((stat) => stat.isFile, () => false);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
