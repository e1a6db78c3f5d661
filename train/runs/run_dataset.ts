import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import { loadIndex } from "../../data/formats/index_file.ts";
import { loadDataset, loadWithoutSamples } from "../../data/formats/load.ts";
import {
  areTrainedSids,
  CATALOGUE_FILE,
  CatalogueSchema,
  checkTrainedSids,
  itemOrder,
  type TrainedCatalogue,
} from "./catalogue/catalogue.ts";
import { asOrdered, inverseOf } from "./catalogue/item_order.ts";
import type { RunFolder } from "./run_folder.ts";
import type { OpenRunOptions } from "./run_kind.ts";

/** A dataset that a run is used with. */
export interface RunDataset {
  dataset: Dataset;
  /** For each of its items the number in the run, where the run has them in another order. */
  order?: number[];
}

/**
 * The dataset that a run is to be used with: `dataset`, or that of `data`, of `itemsOnly` without its samples. Throws
 * `UserError` unless its items are those that the run was trained on (from `trainedOn`); runs from before catalogues were kept
 * are not compared.
 */
export async function runDataset(
  folder: RunFolder,
  data: string,
  { dataset: loaded, itemsOnly }: Pick<OpenRunOptions, "dataset" | "itemsOnly"> = {},
  trainedOn = String((folder.home ?? folder).config.data || ""),
): Promise<RunDataset> {
  const load = itemsOnly ? loadWithoutSamples : loadDataset;
  const dataset = loaded ?? await load(data).catch((error) => {
    if (data !== trainedOn || !(error instanceof UserError)) throw error;
    throw new UserError(
      `${error.message}. It is the dataset that ${folder.given} was trained on: where it is elsewhere now, name it with --data`,
    );
  });
  const catalogue = await catalogueIn(folder);
  if (!catalogue) return { dataset };
  return { dataset, order: itemOrder(catalogue, dataset, { run: folder.given, data, trainedOn }) };
}

/**
 * SIDs out of the file `index`, those of the run's items, in the order of the dataset. Throws `UserError` unless they are
 * those that the run was trained with. `isOwn`: whether the run's own file has them, else they may be in either order.
 */
export async function runSids(
  folder: RunFolder,
  sids: string[][],
  index: string,
  { order, isOwn }: Pick<RunDataset, "order"> & { isOwn: boolean },
): Promise<string[][]> {
  const catalogue = await catalogueIn(folder);
  if (catalogue?.sids === undefined) return isOwn ? asOrdered(sids, order) : sids;
  if (!isOwn && order && areTrainedSids(catalogue, asOrdered(sids, inverseOf(order)))) return sids;
  const kept = `${(folder.home ?? folder).path}/index.json`;
  const known = await isFile(kept)
    ? await loadIndex(kept, catalogue.items).catch(() => undefined)
    : undefined;
  checkTrainedSids(catalogue, sids, { run: folder.given, index, known });
  return asOrdered(sids, order);
}

async function catalogueIn(folder: RunFolder): Promise<TrainedCatalogue | undefined> {
  const path = `${(folder.home ?? folder).path}/${CATALOGUE_FILE}`;
  return await isFile(path) ? await readJson(path, CatalogueSchema) : undefined;
}
