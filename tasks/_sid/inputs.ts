import { z } from "zod";
import type { Corpus } from "../../data/corpus.ts";
import { toDataset, toItem } from "../../data/corpus_dataset.ts";
import { embeddings as embedWords } from "../../data/synthetic/word_embeddings.ts";
import { idListPath, readIdList, rowsOfItems } from "../../data/formats/id_list.ts";
import { readJson } from "../../base/files/json_file.ts";
import { loadCorpus } from "../../data/formats/load.ts";
import { TEXT_FIELDS } from "../../data/item_text.ts";
import { readMatrix } from "../../base/npy.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { sha256 } from "../../base/files/sha256.ts";
import { UserError } from "../../base/user_error.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { concatenate, normalizeRows, zeroRows } from "../../sid/fuse.ts";
import type { SidInput } from "../../sid/method.ts";
import { DIALECTS } from "../embed.ts";
import { sidMethod } from "../../sid/methods/by_name.ts";
import type { SidFlags } from "./flags.ts";
import type { Recipe } from "./folder.ts";

/** Begins the source of vectors that were made of a dataset's words. */
export const WORDS_OF = "words of ";

/** What the flags name, read and checked. */
export interface LoadedInput {
  /** What the method gets. */
  input: SidInput;
  /** The items' dataset, where `--data` names one. */
  corpus?: Corpus;
  /** Items whose vectors are all zeros, by the file that they came from. */
  zeroRows: Record<string, number[]>;
  /** Where the vectors came from. */
  recipe: Pick<Recipe, "unitLength" | "parts" | "aligned" | "provider">;
}

/** Vectors of items with where they came from. */
export interface SourcedEmbeddings {
  embeddings: Embeddings;
  source: { from: string; sha256?: string; dim: number };
  provider?: Recipe["provider"];
}

/** Reads embeddings and dataset. Throws {@link UserError} where files are damaged or do not belong together. */
export async function loadInput(flags: SidFlags): Promise<LoadedInput> {
  const corpus = flags.data ? await loadCorpus(flags.data) : undefined;
  const itemIds = corpus?.items.map(({ id }) => id);
  const text = flags.embeddings
    ? await loadEmbeddings(flags.embeddings, itemIds)
    : wordEmbeddings(flags.data, corpus!.items);
  const collab = flags.collab ? await loadEmbeddings(flags.collab, itemIds) : undefined;
  const named = [text, ...(collab ? [collab] : [])];
  checkRows(named, corpus && { from: flags.data, rows: corpus.items.length });

  const aligns = sidMethod(flags.method).needs?.includes("collaborative");
  const fuses = collab !== undefined && (flags.fuse ?? (aligns ? "none" : "concat")) === "concat";
  const parts = [{ ...text.source, weight: flags.textWeight }];
  if (fuses) parts.push({ ...collab.source, weight: flags.collabWeight });
  const recipe = {
    unitLength: flags.unitLength,
    parts,
    ...(collab && !fuses && { aligned: collab.source }),
    ...(text.provider && { provider: text.provider }),
  };
  const histories = corpus && toDataset(corpus).histories.map(({ items }) => items);
  return {
    input: {
      embeddings: combine(recipe, (fuses ? named : [text]).map(({ embeddings }) => embeddings)),
      ...(collab && !fuses && { collaborative: scaled(recipe, collab.embeddings) }),
      ...(histories && { histories }),
    },
    corpus,
    zeroRows: Object.fromEntries(
      named.map(({ embeddings, source }) => [source.from, zeroRows(embeddings)]).filter(([, rows]) =>
        rows.length > 0
      ),
    ),
    recipe,
  };
}

/** The vectors that are coded, of one matrix a part. */
export function combine(
  recipe: Pick<Recipe, "unitLength" | "parts">,
  matrices: readonly Embeddings[],
): Embeddings {
  const { parts } = recipe;
  if (parts.length === 1) return scaled(recipe, matrices[0]);
  return concatenate(parts.map(({ from, weight }, i) => ({ name: from, embeddings: matrices[i], weight })));
}

function scaled({ unitLength }: Pick<Recipe, "unitLength">, embeddings: Embeddings): Embeddings {
  return unitLength ? normalizeRows(embeddings) : embeddings;
}

/**
 * Reads a `.npy` file; by the id list beside it, if there is one, its rows are brought into the order of `itemIds`.
 * Throws {@link UserError} for a damaged file and ids that are missing or doubled.
 */
export async function loadEmbeddings(path: string, itemIds?: readonly string[]): Promise<SourcedEmbeddings> {
  const embeddings = readMatrix(await diskFiles.readFile(path), path);
  const source = { from: path, sha256: await sha256(path), dim: embeddings.dim };
  const ids = await readIdList(diskFiles, path);
  if (ids === undefined) return { embeddings, source };
  const listPath = idListPath(path);
  if (ids.length !== embeddings.rows) {
    throw new UserError(
      `Cannot use ${path}: it has ${embeddings.rows} rows, ${listPath} lists ${ids.length} ids, expected one a row. ` +
        "The files are of different runs, embed the items again",
    );
  }
  const rows = rowsOfItems(ids, itemIds ?? ids, listPath);
  return { embeddings: takeRows(embeddings, rows), source, provider: await readProvider(listPath) };
}

const Provenance = z.object({
  provider: z.string(),
  settings: z.record(z.string(), z.unknown()),
  fields: z.array(z.enum(TEXT_FIELDS)).optional(),
  maxCharacters: z.number().optional(),
  dialect: z.enum(DIALECTS).optional(),
});

/** What made the vectors, where the id list tells: one of another program is ids alone. */
async function readProvider(listPath: string): Promise<Recipe["provider"]> {
  const told = await readJson(listPath, z.union([Provenance, z.unknown().transform(() => undefined)]));
  if (told === undefined) return undefined;
  const { provider: name, ...facts } = told;
  return { name, ...facts };
}

function takeRows({ data, dim }: Embeddings, rows: readonly number[]): Embeddings {
  const taken = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => taken.set(data.subarray(row * dim, (row + 1) * dim), i * dim));
  return { data: taken, rows: rows.length, dim };
}

/** Vectors of items by their words alone. */
export function wordEmbeddings(data: string, items: Corpus["items"]): SourcedEmbeddings {
  const { data: values, shape: [rows, dim] } = embedWords({ items: items.map(toItem) });
  return { embeddings: { data: values, rows, dim }, source: { from: `${WORDS_OF}${data}`, dim } };
}

function checkRows(
  [first, ...others]: readonly SourcedEmbeddings[],
  dataset: { from: string; rows: number } | undefined,
): void {
  const expected = dataset ?? { from: first.source.from, rows: first.embeddings.rows };
  for (const { embeddings, source } of [first, ...others]) {
    if (embeddings.rows === expected.rows) continue;
    throw new UserError(
      `Cannot use ${source.from}: it has ${embeddings.rows} rows, ${expected.from} has ${expected.rows}` +
        `${
          dataset ? " items" : ""
        }, expected one row an item in the same order. Embed the items of this dataset again`,
    );
  }
}
