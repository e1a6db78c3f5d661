import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { writeNpy } from "../../data/npy.ts";
import { writeSafetensors } from "../../models/safetensors.ts";
import { reportCatalogue } from "../../sid/catalogue_report.ts";
import { policies } from "../../sid/collisions/registry.ts";
import { htmlReport, type SidReportFile } from "../../sid/html_report.ts";
import { formatSid } from "../../sid/tokens.ts";
import type { TaskIO } from "../_cli.ts";
import { openDevice } from "../_inputs.ts";
import { settingsOf } from "../settings_flags.ts";
import { methodOf, methods, type SidFlags } from "./flags.ts";
import { FILES, type Recipe, writeSids } from "./folder.ts";
import { indexFiles } from "./index_files.ts";
import { loadInput } from "./inputs.ts";
import { namesOf } from "./names.ts";
import { printReport } from "./print.ts";

/** Makes SIDs as the flags say; also the SID stage of `quickstart`. */
export async function makeSids(flags: SidFlags, io: TaskIO): Promise<SidReportFile> {
  const { out, collisions, variant, codeOffset, indexStyle, tokenOrder } = flags;
  const method = methodOf(flags.method);
  const settings = settingsOf(method, methods, flags, "method");
  const { input, corpus, zeroRows, recipe } = await loadInput(flags);

  const { device } = await openDevice(variant);
  let progress: ReturnType<TaskIO["progress"]> | undefined;
  const fit = await method.fit(device, input, settings, ({ done, total, state }) => {
    io.signal.throwIfAborted();
    progress ??= io.progress(total, flags.method);
    progress.update(done, state);
  }).finally(() => progress?.stop());
  const { rows, dim, data } = input.embeddings;
  const codes = { data: fit.codes, rows, levels: fit.levels };
  const tokensOf = (sid: readonly number[]) => formatSid(sid.map((codeword) => codeword + codeOffset));
  const sids = policies[collisions](codes, fit.lastLevel).sids.map(tokensOf);
  const coded = Array.from(
    { length: rows },
    (_, item) => tokensOf([...fit.codes.subarray(item * fit.levels, (item + 1) * fit.levels)]),
  );
  const { codebookSizes, tensors } = fit.model;
  const names = corpus && namesOf(corpus);
  const report: SidReportFile = {
    method: flags.method,
    settings,
    embeddings: recipe.parts.map(({ from }) => from).join(" + "),
    policy: collisions,
    ...reportCatalogue({
      embeddings: input.embeddings,
      coded,
      sids,
      codebookSizes,
      errors: fit.errors,
      ...(names && { titles: names.titles, labels: names.labels }),
    }),
    zeroRows,
    notes: fit.notes ?? {},
  };
  const stored: Recipe = {
    format: "genrec-sids",
    version: 1,
    genrec: manifest.version,
    method: flags.method,
    settings: settings as Record<string, unknown>,
    collisions,
    codeOffset,
    indexStyle,
    tokenOrder,
    codebookSizes,
    learnedFrom: rows,
    added: 0,
    ...(flags.data && { data: flags.data }),
    ...recipe,
  };
  await writeSids(
    out,
    new Map<string, string | Uint8Array>([
      [FILES.embeddings, writeNpy([rows, dim], data)],
      [FILES.codes, writeNpy([rows, fit.levels], Int32Array.from(fit.codes))],
      [FILES.codebooks, writeSafetensors(tensors, { metadata: { method: flags.method } })],
      [FILES.report, JSON.stringify(report, null, 2) + "\n"],
      [FILES.page, htmlReport(report)],
      ...indexFiles(sids, stored),
      [FILES.recipe, JSON.stringify(stored, null, 2) + "\n"],
    ]),
  );
  if (io.json) console.log(JSON.stringify(report, null, 2));
  else {
    printReport(report, io);
    io.log(
      `Wrote ${join(out, FILES.index)}, ${FILES.newTokens}, ${FILES.codebooks} and the report ${
        join(out, FILES.page)
      }`,
    );
  }
  return report;
}
