import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { diskFiles } from "../../base/files/disk.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import { readSafetensors } from "../../models/safetensors/safetensors.ts";
import { collisionPolicy } from "../../sid/collisions/by_name.ts";
import { sidMethod } from "../../sid/methods/by_name.ts";
import type { SidReportFile } from "../../sid/report/html.ts";
import { catalogueOf } from "../../train/runs/catalogue/catalogue.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { openDevice } from "../_cli/open_device.ts";
import { CHECKPOINTS, type SidFlags } from "./flags.ts";
import { FILES, readSids, type StoredSids, writeSids } from "./folder.ts";
import { namesOf } from "./names.ts";
import { printReport } from "./print.ts";
import { makeReport, tokensOf } from "./report.ts";
import { storedItems } from "./stored_items.ts";

/** Makes the SIDs of other weights that a training kept, without training again. */
export async function exportCheckpoint(
  { sids: from, out, data, ...flags }: SidFlags,
  checkpoint: typeof CHECKPOINTS[number],
  io: TaskIO,
): Promise<SidReportFile> {
  const stored = await readSids(from);
  const { recipe, embeddings } = stored;
  if (recipe.added > 0) {
    throw new UserError(
      `Cannot export ${checkpoint} of ${from}: ${recipe.added} of its items were added by --add, their SIDs are those of ` +
        "other weights. Export from the folder before, then add them again",
    );
  }
  const checkpoints = await readCheckpoints(from);
  const tensors = checkpoints[checkpoint];
  if (!tensors) {
    throw new UserError(
      `Cannot export ${checkpoint} of ${from}: it has no ${checkpoint}.safetensors, its method ${recipe.method} keeps ` +
        "none. Name a folder that a method with training made, such as rqvae",
    );
  }
  const method = sidMethod(recipe.method);
  const settings = method.Config.parse({ ...recipe.settings, keep: checkpoint.replace("best-", "") });
  const model = { codebookSizes: recipe.codebookSizes, tensors };
  const { device } = await openDevice(flags);
  const coded = await method.encode(device, embeddings, model, settings);
  const { sids } = collisionPolicy(recipe.collisions).resolve(
    { data: coded.codes, rows: embeddings.rows, levels: coded.levels },
    coded.lastLevel,
  );
  const exported: StoredSids = {
    ...stored,
    recipe: {
      ...recipe,
      genrec: manifest.version,
      settings: settings as Record<string, unknown>,
      errors: coded.errors,
    },
    tokens: sids.map((sid) => tokensOf(sid, recipe.codeOffset)),
    coded: Int32Array.from(coded.codes),
    model,
  };
  const items = await storedItems({ data, sids: from }, stored);
  const names = items && namesOf({ items });
  const report = makeReport(exported, names, {
    zeroRows: {},
    notes: { exported: `${checkpoint} of ${from}` },
  });
  await writeSids(out, exported, report, checkpoints, items && catalogueOf({ items }));
  if (io.json) console.log(JSON.stringify(report, null, 2));
  else {
    printReport(report, io);
    io.log(`Wrote ${join(out, FILES.index)} with the weights of ${checkpoint}`);
  }
  return report;
}

async function readCheckpoints(folder: string): Promise<Record<string, TensorMap>> {
  const found: Record<string, TensorMap> = {};
  for (const name of CHECKPOINTS) {
    const path = join(folder, `${name}.safetensors`);
    if (!await isFile(path)) continue;
    const tensors = readSafetensors(await diskFiles.readFile(path), path);
    found[name] = new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data }]));
  }
  return found;
}
