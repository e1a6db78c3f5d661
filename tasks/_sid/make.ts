import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { collisionPolicy } from "../../sid/collisions/by_name.ts";
import type { SidReportFile } from "../../sid/report/html.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { openDevice } from "../_cli/open_device.ts";
import { settingsOf } from "../_cli/settings_flags.ts";
import { SID_METHODS, sidMethod } from "../../sid/methods/by_name.ts";
import type { SidFlags } from "./flags.ts";
import { FILES, type StoredSids, writeSids } from "./folder.ts";
import { loadInput } from "./inputs.ts";
import { namesOf } from "./names.ts";
import { printReport } from "./print.ts";
import { makeReport, tokensOf } from "./report.ts";

/** Makes SIDs as the flags say; also the SID stage of `quickstart`. */
export async function makeSids(flags: SidFlags, io: TaskIO): Promise<SidReportFile> {
  const { out, collisions, codeOffset, indexStyle, tokenOrder } = flags;
  const method = sidMethod(flags.method);
  const settings = settingsOf(method, SID_METHODS, flags, "method");
  const { input, corpus, zeroRows, recipe } = await loadInput(flags);
  const { rows } = input.embeddings;

  const { device } = await openDevice(flags);
  let progress: ReturnType<TaskIO["progress"]> | undefined;
  const fit = await method.fit(device, input, settings, ({ done, total, state }) => {
    io.signal.throwIfAborted();
    progress ??= io.progress(total, flags.method);
    progress.update(done, state);
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
  await writeSids(out, stored, report, fit.checkpoints);
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
