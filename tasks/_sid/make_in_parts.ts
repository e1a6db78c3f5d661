import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { makeFolder } from "../../base/files/line_file.ts";
import { textFile } from "../../base/files/pieces.ts";
import { sha256 } from "../../base/files/sha256.ts";
import { writeTogether } from "../../base/files/write_atomic.ts";
import { writeNpy } from "../../base/npy.ts";
import { UserError } from "../../base/user_error.ts";
import { joinLists } from "../../data/corpus_stream.ts";
import { formatNewTokens, indexPieces, newTokens } from "../../data/formats/index_file.ts";
import { findFormat, openCorpus } from "../../data/formats/load.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { collisionPolicy } from "../../sid/collisions/by_name.ts";
import { codebookName, subtractCodewords } from "../../sid/kmeans/residuals.ts";
import { SID_METHODS, sidMethod } from "../../sid/methods/by_name.ts";
import { rqKmeans } from "../../sid/methods/rq_kmeans.ts";
import { fitMiniBatches, type MiniBatchFit } from "../../sid/mini_batches/fit.ts";
import { reportTable } from "../../sid/mini_batches/report.ts";
import { resolveInParts, type SidTable } from "../../sid/mini_batches/resolve.ts";
import { readItems, type RowSource } from "../../sid/mini_batches/row_source.ts";
import { sidWarnings } from "../../sid/report/warnings.ts";
import type { RqKmeansConfig } from "../../sid/settings.generated.ts";
import { CATALOGUE_FILE, catalogueDigest, catalogueOf } from "../../train/runs/catalogue/catalogue.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { openDevice } from "../_cli/open_device.ts";
import { settingsOf } from "../_cli/settings_flags.ts";
import { type FileVectors, heldBytes, openVectors } from "./file_vectors.ts";
import type { SidFlags } from "./flags.ts";
import { FILES, type Recipe } from "./folder.ts";
import { KeptInParts } from "./kept_in_parts.ts";
import { printReport } from "./print.ts";
import { tokensOf } from "./report.ts";

/**
 * Makes SIDs of vectors that are more than `--memory`: they are read from their file as they are needed. The folder has the
 * index and what made it, but no copy of the vectors and no page.
 */
export async function makeSidsInParts(flags: SidFlags, io: TaskIO): Promise<void> {
  const { out, data, embeddings, collisions, codeOffset, indexStyle, tokenOrder } = flags;
  using open = data === "" ? undefined : await openCorpus(await findFormat(data), data);
  const items = open && await joinLists(open.corpus.items());
  using vectors = await openVectors(flags, items?.map(({ id }) => id));
  refuseOthers(flags, vectors);
  const { rows, dim } = vectors;
  io.log(
    `The ${rows} vectors of ${embeddings} are more than --memory ${flags.memory} with what a fit takes beside them ` +
      `(${
        megabytes(heldBytes(vectors))
      }): they are read as they are needed, ${flags.method} learns from mini-batches`,
  );
  const settings = settingsOf(sidMethod(flags.method), SID_METHODS, flags, "method") as RqKmeansConfig;
  const { device } = await openDevice(flags);
  const hash = await sha256(embeddings);
  const kept = await KeptInParts.open(out, {
    "version of genrec": manifest.version,
    "method and settings": JSON.stringify({ method: flags.method, ...settings }),
    "--collisions": collisions,
    "--unit-length": String(flags.unitLength),
    [`file ${embeddings}`]: hash,
    ...items && { "list of items": (await catalogueDigest({ items })).sha256 },
  });
  if (kept.found !== "") io.log(`Goes on after ${kept.found}`);
  const { fit, table } = await fitAndResolve(device, vectors, settings, kept, { collisions, io }).catch(
    (error) => {
      if (io.signal.aborted && kept.found !== "") {
        io.log(`Stopped after ${kept.found}; the same command goes on from there`);
      }
      throw error;
    },
  );
  const { errors, variance, model, levels, codes } = fit;

  const before = reportTable(codedTable(fit), model.codebookSizes);
  const after = reportTable(table, model.codebookSizes);
  const unexplained = errors.map((error) => variance === 0 ? 0 : error / variance);
  const report = {
    method: flags.method,
    settings,
    embeddings,
    policy: collisions,
    ...after,
    errors,
    unexplained,
    beforePolicy: before,
    changed: changedItems(fit, table),
    zeroRows: {},
    warnings: sidWarnings(before, after, unexplained),
    notes: { miniBatches: true },
  };
  const recipe: Recipe = {
    format: "genrec-sids",
    version: 1,
    genrec: manifest.version,
    method: rqKmeans.name,
    settings: { ...settings },
    collisions,
    codeOffset,
    indexStyle,
    tokenOrder,
    codebookSizes: model.codebookSizes,
    errors,
    learnedFrom: rows,
    added: 0,
    ...(data !== "" && { data }),
    unitLength: flags.unitLength,
    parts: [{ from: embeddings, sha256: hash, dim, weight: flags.textWeight }],
  };
  const tokens = () => tokensIn(table, codeOffset);
  const json = (value: unknown) => JSON.stringify(value, null, 2) + "\n";
  await makeFolder(out);
  await writeTogether(out, [
    [join(out, FILES.codes), writeNpy([rows, levels], Int32Array.from(codes))],
    [join(out, FILES.codebooks), writeSafetensors(model.tensors, { metadata: { method: rqKmeans.name } })],
    ...items ? [[join(out, CATALOGUE_FILE), json(catalogueOf({ items }))] as const] : [],
    [join(out, FILES.report), json(report)],
    [join(out, FILES.newTokens), formatNewTokens(newTokens(tokens(), tokenOrder))],
    [join(out, FILES.recipe), json(recipe)],
    [join(out, FILES.index), textFile(() => indexPieces(tokens(), indexStyle))],
  ]);
  await kept.end();
  if (io.json) return console.log(json(report).trimEnd());
  printReport(report, io);
  io.log(
    `Wrote ${[FILES.index, FILES.newTokens, FILES.codebooks].map((name) => join(out, name)).join(", ")}, ` +
      `without a page of the report`,
  );
}

/** Learns and codes, then tells items of equal codes apart, from where an earlier command was stopped. */
async function fitAndResolve(
  device: Device,
  vectors: FileVectors,
  settings: RqKmeansConfig,
  kept: KeptInParts,
  { collisions, io }: Pick<SidFlags, "collisions"> & { io: TaskIO },
): Promise<{ fit: MiniBatchFit; table: SidTable }> {
  let progress: ReturnType<TaskIO["progress"]> | undefined;
  const told = async <T>(work: Promise<T>) => {
    try {
      return await work;
    } finally {
      progress?.stop();
      progress = undefined;
    }
  };
  const fit = await told(fitMiniBatches(device, vectors, settings, {
    onProgress({ done, total, state }) {
      io.signal.throwIfAborted();
      progress ??= io.progress(total, rqKmeans.name);
      progress.update(done, state);
    },
    onLevel: (levels) => kept.keepLevels(levels),
  }, kept.levels));
  const { codes, levels, model } = fit;
  const codebook = model.tensors.get(codebookName(levels - 1))!.data;
  const residualsOf = (items: Uint32Array) => residualsBeforeLast(vectors, fit, items);
  const table = await told(resolveInParts(
    collisionPolicy(collisions),
    { codes, levels, codebook, dim: vectors.dim, residualsOf },
    async (part) => {
      progress ??= io.progress(vectors.rows, collisions);
      progress.update(part.done);
      await kept.keepResolved(part, io.signal.aborted);
      io.signal.throwIfAborted();
    },
    kept.resolved,
  ));
  return { fit, table };
}

function refuseOthers(
  { method, collab, memory, embeddings }: SidFlags,
  vectors: Pick<RowSource, "rows" | "dim">,
): void {
  const why = method !== rqKmeans.name
    ? `of the methods, ${rqKmeans.name} alone reads vectors as it needs them`
    : collab !== ""
    ? "--collab needs both kinds of vectors in memory"
    : undefined;
  if (why === undefined) return;
  throw new UserError(
    `Cannot make SIDs of ${embeddings} within --memory ${memory}: its ${vectors.rows} vectors take ` +
      `${
        megabytes(heldBytes(vectors))
      } with what a fit holds beside them, and ${why}. Allow more with --memory, or use ` +
      `--method ${rqKmeans.name} with --embeddings alone`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;
}

/** What all levels but the last leave over of some items: (items, D). */
async function residualsBeforeLast(
  vectors: RowSource,
  { codes, levels, model }: MiniBatchFit,
  items: Uint32Array,
): Promise<Float32Array> {
  const data = await readItems(vectors, items);
  for (let level = 0; level < levels - 1; level++) {
    const labels = Uint16Array.from(items, (item) => codes[item * levels + level]);
    subtractCodewords(data, model.tensors.get(codebookName(level))!.data, labels, vectors.dim);
  }
  return data;
}

function codedTable({ codes, levels }: MiniBatchFit): SidTable {
  return { data: Int32Array.from(codes), width: levels };
}

function changedItems({ codes, levels }: MiniBatchFit, { data, width }: SidTable): number {
  let changed = 0;
  for (let item = 0; item * width < data.length; item++) {
    let isSame = data[item * width + levels] < 0;
    for (let l = 0; l < levels && isSame; l++) isSame = data[item * width + l] === codes[item * levels + l];
    if (!isSame) changed++;
  }
  return changed;
}

/** Tokens of each item. */
function* tokensIn({ data, width }: SidTable, codeOffset: number): Generator<string[]> {
  for (let at = 0; at < data.length; at += width) {
    yield tokensOf(data.subarray(at, at + width).filter((code) => code >= 0), codeOffset);
  }
}
