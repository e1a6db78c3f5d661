import { basename, join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { collisionPolicy } from "../../sid/collisions/by_name.ts";
import type { Corpus } from "../../data/corpus.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { StopRehearsal } from "../../kernels/gpu/rehearsal.ts";
import { catalogueOf } from "../../train/runs/catalogue/catalogue.ts";
import { runManifest } from "../../train/run/inputs.ts";
import type { SidReportFile } from "../../sid/report/html.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { tellRehearsed } from "../_cli/memory.ts";
import { openDevice } from "../_cli/open_device.ts";
import { settingsDefaults, settingsOf } from "../_cli/settings_flags.ts";
import { goOnLine } from "../_cli/training_lines.ts";
import { SID_METHODS, sidMethod } from "../../sid/methods/by_name.ts";
import type { SidFlags } from "./flags.ts";
import { FILES, type StoredSids, writeSids } from "./folder.ts";
import { type LoadedInput, loadInput } from "./inputs.ts";
import { KeptTraining } from "./kept_training.ts";
import { namesOf } from "./names.ts";
import { printReport } from "./print.ts";
import { makeReport, tokensOf } from "./report.ts";

/** Folder of SIDs with the log of their training. */
const TRAINING = "training";

/** Makes SIDs as the flags say; also the SID stage of `quickstart`. */
export async function makeSids(flags: SidFlags, io: TaskIO): Promise<SidReportFile> {
  const { out, collisions, codeOffset, indexStyle, tokenOrder } = flags;
  const method = sidMethod(flags.method);
  const settings = settingsOf(method, SID_METHODS, flags, "method");
  const { input, corpus, zeroRows, recipe } = await loadInput(flags);
  const { rows } = input.embeddings;

  const { device } = await openDevice(flags);
  const { fit: whole, rehearse = whole } = method;
  const counted = (counting: Device, stop: StopRehearsal) =>
    rehearse(counting, input, settings, ({ kept }) => stop(kept));
  await tellRehearsed(device, counted, `the fit of ${rows} items`, io);
  const training = method.trains
    ? await openTraining(flags, settings, { corpus, device, recipe })
    : undefined;
  let progress: ReturnType<TaskIO["progress"]> | undefined;
  const fit = await method.fit(device, input, settings, ({ done, total, state }) => {
    io.signal.throwIfAborted();
    progress ??= io.progress(total, flags.method);
    progress.update(done, state);
  }, training?.openStore(io)).catch(async (error) => {
    if (await training?.isSaved()) io.log(goOnLine("sid", out, join(out, TRAINING, "config.json")));
    throw error;
  }).finally(() => progress?.stop());
  const { sids } = collisionPolicy(collisions).resolve(
    { data: fit.codes, rows, levels: fit.levels },
    fit.lastLevel,
  );
  const stored: StoredSids = {
    recipe: {
      format: "genrec-sids",
      version: 1,
      genrec: manifest.version,
      method: flags.method,
      settings: settings as Record<string, unknown>,
      collisions,
      codeOffset,
      indexStyle,
      tokenOrder,
      codebookSizes: fit.model.codebookSizes,
      errors: fit.errors,
      learnedFrom: rows,
      added: 0,
      ...(flags.data && { data: flags.data }),
      ...recipe,
    },
    tokens: sids.map((sid) => tokensOf(sid, codeOffset)),
    coded: Int32Array.from(fit.codes),
    embeddings: input.embeddings,
    model: fit.model,
    added: [],
  };
  const report = makeReport(stored, corpus && namesOf(corpus), { zeroRows, notes: fit.notes ?? {} });
  await writeSids(out, stored, report, fit.checkpoints, corpus && catalogueOf(corpus));
  await training?.end();
  if (io.json) console.log(JSON.stringify(report, null, 2));
  else {
    printReport(report, io);
    io.log(
      `Wrote ${
        [FILES.index, FILES.newTokens, FILES.codebooks].map((name) => join(out, name)).join(", ")
      } and the ` +
        `report ${join(out, FILES.page)}`,
    );
  }
  return report;
}

/** Where the training of the flags is kept. */
async function openTraining(
  { out, resume, reportTo, wandbProject, sids: _, inspect: _i, add: _a, ...flags }: SidFlags,
  settings: unknown,
  { corpus, device, recipe }: { corpus: Corpus | undefined; device: Device } & Pick<LoadedInput, "recipe">,
): Promise<KeptTraining> {
  const { method, embeddings, collab, fuse, textWeight, collabWeight, unitLength } = flags;
  const files = [...embeddings ? [embeddings] : [], ...collab ? [collab] : [], ...corpus?.files ?? []];
  const { seed } = settings as { seed: number };
  return await KeptTraining.open(join(out, TRAINING), {
    settings: { method, ...settings as object, ...fuse && { fuse }, textWeight, collabWeight, unitLength },
    defaults: settingsDefaults(sidMethod(method).Config),
    config: { ...flags, reportTo, wandbProject },
    manifest: await runManifest(device, corpus?.name ?? recipe.parts[0].from, files, { task: "sid", seed }),
    reports: { reportTo, wandbProject },
    name: basename(out),
  }, resume);
}
