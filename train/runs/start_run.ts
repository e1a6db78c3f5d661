import type { Dataset } from "../../data/dataset.ts";
import { CATALOGUE_FILE, catalogueDigest, catalogueOf } from "./catalogue/catalogue.ts";
import type { RunManifest } from "../run/inputs.ts";
import type { RunDirectory } from "../run/directory.ts";

/** What a run directory says of how it was made. */
export interface RunRecord {
  /** Further files, such as the index of the SIDs. */
  texts?: Record<string, string | Uint8Array>;
  /** What it was made from. */
  manifest: RunManifest;
  /** What it is trained on: a run is used with the same items alone. */
  dataset: Dataset;
  /** The SIDs that it has from its first step to its last; absent: none. */
  sids?: string[][];
  /** Its settings; as `config.json` they serve as --config when the run is resumed. */
  config: Record<string, unknown>;
}

/** Makes the directory of a run. Throws `UserError` where it holds one. */
export async function startRun(
  run: RunDirectory,
  { texts = {}, manifest, dataset, sids, config }: RunRecord,
): Promise<void> {
  await run.create(false);
  for (const [name, content] of Object.entries(texts)) await run.write(name, content);
  await run.write(CATALOGUE_FILE, JSON.stringify(catalogueOf(dataset, sids), null, 2) + "\n");
  const told = { ...manifest, catalogue: await catalogueDigest(dataset) };
  await run.write("manifest.json", JSON.stringify(told, null, 2) + "\n");
  // Last: a folder with it is a run.
  await run.write("config.json", JSON.stringify(config, null, 2) + "\n");
}
