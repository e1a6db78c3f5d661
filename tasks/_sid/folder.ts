import { join } from "node:path";
import { z } from "zod";
import type { CorpusItem } from "../../data/corpus.ts";
import {
  formatIndex,
  formatNewTokens,
  INDEX_STYLES,
  loadIndex,
  newTokens,
  TOKEN_ORDERS,
} from "../../data/formats/index_file.ts";
import { parseJson } from "../../base/json.ts";
import { TEXT_FIELDS } from "../../data/item_text.ts";
import { readJson } from "../../base/files/json_file.ts";
import { readMatrix, readNpy, writeNpy } from "../../base/npy.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { readText } from "../../base/files/text_file.ts";
import { UserError } from "../../base/user_error.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import {
  findNonFinite,
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from "../../models/safetensors/safetensors.ts";
import { COLLISION_POLICIES } from "../../sid/collisions/by_name.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { htmlReport, type SidReportFile } from "../../sid/report/html.ts";
import { codebookName } from "../../sid/kmeans/residuals.ts";
import type { SidModel } from "../../sid/method.ts";
import type { Placement } from "../../sid/methods/place_new.ts";
import { isFile, writeTogether } from "../../base/files/write_atomic.ts";
import { makeFolder } from "../../base/files/line_file.ts";
import { CATALOGUE_FILE, type TrainedCatalogue } from "../../train/runs/catalogue/catalogue.ts";
import { DIALECTS } from "../embed.ts";
import { SID_METHODS } from "../../sid/methods/by_name.ts";

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
  method: z.enum(SID_METHODS.map(({ name }) => name)),
  settings: z.record(z.string(), z.unknown()),
  collisions: z.enum(COLLISION_POLICIES.map(({ name }) => name)),
  codeOffset: z.union([z.literal(0), z.literal(1)]),
  indexStyle: z.enum(INDEX_STYLES),
  tokenOrder: z.enum(TOKEN_ORDERS),
  codebookSizes: z.array(count).min(1),
  /** Reconstruction error by level. */
  errors: z.array(z.number()),
  /** Items that the codebooks were learned from. */
  learnedFrom: count,
  /** Items that were added since. */
  added: count,
  /** What `--data` was, if anything. */
  data: z.string().optional(),
  /** Whether vectors were scaled to length 1. */
  unitLength: z.boolean(),
  /** What was coded, side by side, each scaled to its weight where there are two. */
  parts: z.array(Source.extend({ weight: z.number() })).min(1).max(2),
  /** What the method aligned its codes with. */
  aligned: Source.optional(),
  /** What made the first part, if its id list told. */
  provider: z.strictObject({
    name: z.string(),
    settings: z.record(z.string(), z.unknown()),
    fields: z.array(z.enum(TEXT_FIELDS)).optional(),
    maxCharacters: z.number().optional(),
    dialect: z.enum(DIALECTS).optional(),
  }).optional(),
});
export type Recipe = z.output<typeof Recipe>;

/** An item that `--add` brought: a line of `added.jsonl`. */
export interface AddedItem extends CorpusItem {
  /** Its number. */
  item: number;
  /** Its SID, as one text. */
  sid: string;
  /** How it came to it. */
  how: Placement;
}

/** {@link AddedItem} as far as a file can be trusted to hold one. */
const Added: z.ZodType<AddedItem> = z.looseObject({
  item: count,
  id: z.string(),
  title: z.string(),
  categories: z.array(z.string()),
  sid: z.string(),
  how: z.enum(["coded", "moved", "extended", "shared"]),
});

/** A catalogue with SIDs and all that made them: what the folder holds. */
export interface StoredSids {
  recipe: Recipe;
  /** Tokens of every item as in index.json. */
  tokens: string[][];
  /** Codewords of every item before the collision policy, from 0, (N, L). */
  coded: Int32Array<ArrayBuffer>;
  /** Vectors that the codes describe, after fusing and scaling. */
  embeddings: Embeddings;
  model: SidModel;
  /** Items that were added after the codebooks were learned; they are the last ones. */
  added: AddedItem[];
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
  if (!await isFile(path(FILES.embeddings))) {
    throw new UserError(
      `Cannot use ${folder}: it has no ${FILES.embeddings}. Vectors of more than --memory are not kept with their SIDs: make ` +
        "the SIDs again with a larger --memory, which wants as much of the machine",
    );
  }
  const bytes = (name: string) => diskFiles.readFile(path(name));
  const embeddings = readMatrix(await bytes(FILES.embeddings), path(FILES.embeddings));
  if (embeddings.rows !== items) throw mismatch(path(FILES.embeddings), `has ${embeddings.rows} rows`, items);
  const { shape, data } = readNpy(await bytes(FILES.codes), path(FILES.codes));
  if (shape.join() !== [items, recipe.codebookSizes.length].join()) {
    throw mismatch(path(FILES.codes), `is (${shape.join(", ")})`, items);
  }
  checkCodes(data, recipe.codebookSizes, path(FILES.codes));
  const tensors = readSafetensors(await bytes(FILES.codebooks), path(FILES.codebooks));
  checkCodebooks(tensors, recipe.codebookSizes, path(FILES.codebooks));
  return {
    recipe,
    tokens: await loadIndex(path(FILES.index), items),
    coded: Int32Array.from(data),
    embeddings,
    model: {
      codebookSizes: recipe.codebookSizes,
      tensors: new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data }])),
    },
    added: await readAdded(path(FILES.added), recipe.added),
  };
}

/**
 * Writes a catalogue and its report, each file whole or not at all; the index, which training reads, comes last.
 * `checkpoints` are other weights by name, a file each; `catalogue` tells the items apart that the SIDs were made for.
 */
export async function writeSids(
  folder: string,
  stored: StoredSids,
  report: SidReportFile,
  checkpoints: Record<string, TensorMap> = {},
  catalogue?: TrainedCatalogue,
): Promise<void> {
  const { recipe, tokens, coded, embeddings: { rows, dim, data }, model, added } = stored;
  const files: [name: string, content: string | Uint8Array][] = [
    [FILES.embeddings, writeNpy([rows, dim], data)],
    [FILES.codes, writeNpy([rows, recipe.codebookSizes.length], coded)],
    [FILES.codebooks, writeSafetensors(model.tensors, { metadata: { method: recipe.method } })],
    ...Object.entries(checkpoints).map(([name, tensors]): [string, Uint8Array] => [
      `${name}.safetensors`,
      writeSafetensors(tensors, { metadata: { method: recipe.method } }),
    ]),
    ...catalogue ? [[CATALOGUE_FILE, JSON.stringify(catalogue, null, 2) + "\n"] as [string, string]] : [],
    [FILES.report, JSON.stringify(report, null, 2) + "\n"],
    [FILES.page, htmlReport(report)],
    [FILES.newTokens, formatNewTokens(newTokens(tokens, recipe.tokenOrder))],
    [FILES.recipe, JSON.stringify(recipe, null, 2) + "\n"],
    [FILES.index, formatIndex(tokens, recipe.indexStyle)],
  ];
  if (added.length > 0) {
    files.unshift([
      FILES.added,
      added.map((item) => JSON.stringify(item) + "\n").join(""),
    ]);
  }
  await makeFolder(folder);
  // A codebook of one run beside the index of another would code new items wrongly.
  await writeTogether(folder, files.map(([name, content]) => [join(folder, name), content]));
}

/** Throws {@link UserError} for a codeword (N, L) that its level does not have. */
function checkCodes(codes: Float32Array, sizes: readonly number[], path: string): void {
  const bad = codes.findIndex((code, at) =>
    !Number.isInteger(code) || code < 0 || code >= sizes[at % sizes.length]
  );
  if (bad < 0) return;
  const level = bad % sizes.length, row = Math.floor(bad / sizes.length);
  throw new UserError(
    `Cannot use ${path}: row ${row} has codeword ${codes[bad]} on level ${level + 1}, expected 0 to ` +
      `${sizes[level] - 1}. The file is damaged, make the SIDs again`,
  );
}

/** Throws {@link UserError} for values that are not finite, and codebooks of other sizes than the recipe says. */
function checkCodebooks(
  tensors: ReadonlyMap<string, StoredTensor>,
  sizes: readonly number[],
  path: string,
): void {
  const bad = findNonFinite(tensors);
  if (bad !== undefined) {
    throw new UserError(
      `Cannot use ${path}: tensor ${bad.name} holds ${bad.value} at ${bad.index}, expected finite numbers. The file is ` +
        "damaged, make the SIDs again",
    );
  }
  for (const [level, size] of sizes.entries()) {
    const shape = tensors.get(codebookName(level))?.shape;
    if (shape === undefined || shape.length === 2 && shape[0] === size) continue;
    throw new UserError(
      `Cannot use ${path}: tensor ${codebookName(level)} is (${
        shape.join(", ")
      }), expected ${size} rows as in ` +
        `${FILES.recipe}. The files of the folder are of different runs, make the SIDs again`,
    );
  }
}

async function readAdded(path: string, count: number): Promise<AddedItem[]> {
  if (count === 0) return [];
  const lines = (await readText(path)).trimEnd().split("\n");
  if (lines.length !== count) throw mismatch(path, `has ${lines.length} lines`, count);
  return lines.map((line, index) => parseJson(line, `${path} line ${index + 1}`, Added));
}

function mismatch(path: string, found: string, items: number): UserError {
  return new UserError(
    `Cannot use ${path}: it ${found}, expected one for each of ${items} items. The files of the folder are of ` +
      "different runs, make the SIDs again",
  );
}
