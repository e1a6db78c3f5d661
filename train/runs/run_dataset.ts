import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import type { Dataset } from "../../data/dataset.ts";
import { loadIndex } from "../../data/formats/index_file.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { CATALOGUE_FILE, checkItems, checkTrainedSids, type TrainedCatalogue } from "./catalogue.ts";
import type { RunFolder } from "./run_folder.ts";

const Hashes = z.string().regex(/^([0-9a-f]{8})*$/);
const CatalogueSchema = z.looseObject({
  items: z.int(),
  ids: Hashes.optional(),
  titles: Hashes,
  sids: Hashes.optional(),
});

/**
 * The dataset that a run is to be used with: `loaded`, or that of `data`. Throws `UserError` unless its items are those
 * that the run was trained on (from `trainedOn`), in their order; runs from before catalogues were kept are not compared.
 */
export async function runDataset(
  folder: RunFolder,
  data: string,
  loaded?: Dataset,
  trainedOn = String((folder.home ?? folder).config.data || ""),
): Promise<Dataset> {
  const dataset = loaded ?? await loadDataset(data);
  const catalogue = await catalogueIn(folder);
  if (catalogue) checkItems(catalogue, dataset, { run: folder.given, data, trainedOn });
  return dataset;
}

/** Throws `UserError` unless SIDs out of the file `index` are those that the run was trained with. */
export async function checkRunSids(folder: RunFolder, sids: string[][], index: string): Promise<void> {
  const catalogue = await catalogueIn(folder);
  if (catalogue?.sids === undefined) return;
  const kept = `${(folder.home ?? folder).path}/index.json`;
  const known = await isFile(kept)
    ? await loadIndex(kept, catalogue.items).catch(() => undefined)
    : undefined;
  checkTrainedSids(catalogue, sids, { run: folder.given, index, known });
}

async function catalogueIn(folder: RunFolder): Promise<TrainedCatalogue | undefined> {
  const path = `${(folder.home ?? folder).path}/${CATALOGUE_FILE}`;
  return await isFile(path) ? await readJson(path, CatalogueSchema) : undefined;
}
