import type { RunManifest } from "../run/inputs.ts";
import type { RunDirectory } from "../run/directory.ts";

/** What a run directory says of how it was made. */
export interface RunRecord {
  /** Further files, such as the index of the SIDs. */
  texts?: Record<string, string | Uint8Array>;
  /** What it was made from. */
  manifest: RunManifest;
  /** Its settings; as `config.json` they serve as --config when the run is resumed. */
  config: Record<string, unknown>;
}

/** Makes the directory of a run. Throws `UserError` where it holds one. */
export async function startRun(
  run: RunDirectory,
  { texts = {}, manifest, config }: RunRecord,
): Promise<void> {
  await run.create(false);
  for (const [name, content] of Object.entries(texts)) await run.write(name, content);
  await run.write("manifest.json", JSON.stringify(manifest, null, 2) + "\n");
  // Last: a folder with it is a run.
  await run.write("config.json", JSON.stringify(config, null, 2) + "\n");
}
