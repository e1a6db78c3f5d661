import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { UserError } from "../../base/user_error.ts";
import { findNonFinite, readSafetensors, writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { countsFrom, countTensors, type PurchaseCounts } from "../../rank/counts/purchases.ts";
import type { FeatureColumn } from "../../rank/features/features.ts";
import { inputCount, type Standardisation } from "../../rank/features/standardise.ts";
import { rankerNames, type RankShape, RankShapeSchema } from "../../rank/network/network.ts";

/** File of a run with the counts of its train split. */
const COUNTS_FILE = "counts.safetensors";
/** File of a run with the names of its features, and the moments of its inputs. */
export const FEATURES_FILE = "features.json";
/** Folder of a run with the runs that it ranks. */
export const SOURCES_FOLDER = "sources";

/** What a run of a ranker keeps beside its weights. */
export interface SavedRanker {
  counts: PurchaseCounts;
  columns: readonly FeatureColumn[];
  standardisation: Standardisation;
}

const Features = z.strictObject({
  columns: z.array(z.strictObject({ name: z.string(), signed: z.boolean().optional() })),
  mean: z.array(z.number()),
  deviation: z.array(z.number()),
});

/** Files of a run by name; the same input gives the same bytes. */
export function savedFiles(
  { counts, columns, standardisation }: SavedRanker,
): Record<string, string | Uint8Array> {
  const { mean, deviation } = standardisation;
  return {
    [COUNTS_FILE]: writeSafetensors(countTensors(counts)),
    [FEATURES_FILE]: JSON.stringify({ columns, mean: [...mean], deviation: [...deviation] }, null, 1) + "\n",
  };
}

/** Reads {@link savedFiles} of the run in `folder`. Throws {@link UserError} where they are missing or damaged. */
export async function readSaved(folder: string, itemCount: number): Promise<SavedRanker> {
  const path = `${folder}/${COUNTS_FILE}`;
  const counts = countsFrom(readSafetensors(await bytesOf(path), path), itemCount);
  if (!counts) throw damaged(path, `it has no counts of ${itemCount} items`);
  const features = `${folder}/${FEATURES_FILE}`;
  const { columns, mean, deviation } = await readJson(features, Features);
  if (mean.length !== inputCount(columns) || deviation.length !== mean.length) {
    throw damaged(features, `it has ${mean.length} means for ${inputCount(columns)} inputs`);
  }
  return {
    counts,
    columns,
    standardisation: { mean: Float32Array.from(mean), deviation: Float32Array.from(deviation) },
  };
}

/**
 * Shape and weights of a checkpoint, by name. Throws {@link UserError} where they are missing, damaged, or not of
 * `inputs` numbers a candidate.
 */
export async function readRankWeights(
  folder: string,
  inputs: number,
): Promise<{ shape: RankShape; tensors: Map<string, { data: Float32Array }> }> {
  const shape = await readJson(`${folder}/config.json`, RankShapeSchema);
  if (shape.num_inputs !== inputs) {
    throw damaged(
      `${folder}/config.json`,
      `it reads ${shape.num_inputs} inputs, features.json has ${inputs}`,
    );
  }
  const path = `${folder}/model.safetensors`;
  const tensors = readSafetensors(await bytesOf(path), path);
  const { num_rankers, hidden_size } = shape;
  const units = hidden_size || inputs;
  for (let ranker = 0; ranker < num_rankers; ranker++) {
    const { hidden, bias, output } = rankerNames(ranker);
    const expected = hidden_size === 0
      ? { [output]: units }
      : { [hidden]: hidden_size * inputs, [bias]: hidden_size, [output]: units };
    for (const [name, length] of Object.entries(expected)) {
      const found = tensors.get(name)?.data.length;
      if (found !== length) throw damaged(path, `${name} has ${found ?? 0} numbers, expected ${length}`);
    }
  }
  const bad = findNonFinite(tensors);
  if (bad) throw damaged(path, `${bad.name} holds ${bad.value} at ${bad.index}`);
  return { shape, tensors };
}

async function bytesOf(path: string): Promise<Uint8Array> {
  return await Deno.readFile(path).catch((error) => {
    throw damaged(path, error instanceof Deno.errors.NotFound ? "no such file" : error.message);
  });
}

function damaged(path: string, why: string): UserError {
  return new UserError(
    `Cannot read ${path}: ${why}. Put back the files of one run of \`genrec rank\`, or train it again`,
  );
}
