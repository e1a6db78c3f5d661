import { dirname, join } from "node:path";
import { VERSION } from "../version.generated.ts";
import { sha256 } from "../../base/files/sha256.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import { loadIndex } from "../../data/formats/index_file.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { CATALOGUE_FILE, CatalogueSchema, sidOrder } from "../runs/catalogue/catalogue.ts";
import { asOrdered } from "../runs/catalogue/item_order.ts";
import { readJson } from "../../base/files/json_file.ts";
import type { Device } from "../../kernels/gpu/device.ts";

/**
 * A dataset with the SIDs to use: those of `sids`, else the published ones. `sids` is an index file, the folder of an
 * index.json, or the name of a file in the dataset's directory; `sidsFile` is what it turned out to be. By the
 * catalogue beside it, if any, its SIDs are brought into the order of the dataset. A dataset that was `loaded` before is
 * not read again.
 */
export async function loadInputs(
  data: string,
  sids: string,
  loaded?: Dataset,
): Promise<{ dataset: Dataset; sids: string[][]; sidsFile?: string }> {
  const dataset = loaded ?? await loadDataset(data);
  if (sids === "") {
    if (dataset.sids) return { dataset, sids: dataset.sids };
    throw new UserError(
      `Cannot use ${data} without SIDs: it ships none. Make some with \`genrec sid\` and name them with --sids`,
    );
  }
  const path = await indexPath(sids, data);
  const index = await loadIndex(path, dataset.items.length);
  // Where the items are known that the index was made for, another order of them is no matter.
  const catalogue = join(dirname(path), CATALOGUE_FILE);
  const order = await isFile(catalogue)
    ? sidOrder(await readJson(catalogue, CatalogueSchema), dataset, { run: path, data, trainedOn: "" })
    : undefined;
  return { dataset, sids: asOrdered(index, order), sidsFile: path };
}

/** The index that `--sids` names: a file, a folder with an index.json, or a file in the dataset's directory. */
export async function indexPath(sids: string, data: string): Promise<string> {
  for (const place of [sids, join(sids, "index.json"), join(data, sids)]) {
    if (await isFile(place)) return place;
  }
  const folder = await Deno.stat(sids).then(({ isDirectory }) => isDirectory, () => false);
  return folder ? join(sids, "index.json") : sids; // reading it will say that it is not there
}

/** What a run was made from: `manifest.json`. */
export interface RunManifest {
  /** Name of the command. */
  task: string;
  /** Seed of everything random. */
  seed: number;
  /** Version of genrec. */
  genrec: string;
  /** Version of Deno. */
  deno: string;
  /** Name of the WebGPU adapter. */
  adapter: string;
  /** Storage of matrices: `texture` or `buffer`. */
  layout: string;
  /** Number format of matrices: `f32` or `f16`. */
  dtype: string;
  /** Name of the dataset. */
  dataset: string;
  /** SHA-256 of each file read. */
  inputs: Record<string, string>;
  /** Rows that a ranker learned from; absent of other models. */
  learnedFrom?: string;
  /** Number of items, and SHA-256 of their ids, of their titles without ids; absent in older runs. */
  catalogue?: { items: number; sha256: string };
}

/** Facts of a run, with hashes of the files that it read. */
export async function runManifest(
  device: Device,
  dataset: string,
  files: readonly string[],
  facts: { task: string; seed: number },
): Promise<RunManifest> {
  const inputs: Record<string, string> = {};
  for (const path of files) inputs[path] = await sha256(path);
  return {
    ...facts,
    genrec: VERSION,
    deno: Deno.version.deno,
    adapter: device.info.description || device.info.device || device.info.vendor,
    layout: device.layout,
    dtype: device.dtype,
    dataset,
    inputs,
  };
}
