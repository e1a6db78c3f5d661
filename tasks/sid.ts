import { join } from "node:path";
import { z } from "zod";
import { embeddings as embedText } from "../data/embeddings.ts";
import { formatIndex } from "../data/index_file.ts";
import { loadDataset } from "../data/load.ts";
import { readMatrix, writeNpy } from "../data/npy.ts";
import { UserError } from "../data/user_error.ts";
import { writeSafetensors } from "../models/safetensors.ts";
import {
  addExtraLevel,
  COLLISION_POLICIES,
  type CollisionPolicy,
  keepCollisions,
  moveToNearestFree,
  type ResolvedCodes,
} from "../sid/collisions.ts";
import type { Embeddings } from "../sid/embeddings.ts";
import type { SidFit, SidMethod } from "../sid/method.ts";
import * as registry from "../sid/registry.ts";
import { reportSids, type SidReport } from "../sid/report.ts";
import { formatSid } from "../sid/tokens.ts";
import { writeAtomic } from "../train/run_directory.ts";
import type { Task, TaskIO } from "./_cli.ts";
import { openDevice, VariantFlag } from "./_inputs.ts";
import { makeFolder } from "./_output.ts";
import { tableLines } from "./_table.ts";

const methods = new Map<string, SidMethod>(
  (Object.values(registry) as SidMethod[]).map((method) => [method.name, method]),
);

// Methods share the names of settings that mean the same; each picks its own out of all of them.
const settings: Record<string, z.ZodType> = {};
for (const { Config } of methods.values()) {
  for (const [key, field] of Object.entries(Config.shape)) settings[key] ??= field as z.ZodType;
}

const config = z.strictObject({
  embeddings: z.string().default("").describe("item embeddings, a .npy file of shape (items, dim)"),
  data: z.string().default("").describe(
    "instead of --embeddings: dataset whose item texts are embedded, such as synthetic",
  ),
  out: z.string().describe("folder to write: index.json, sid.report.json, codebooks.safetensors"),
  method: z.enum([...methods.keys()]).default("rqkmeans").describe("how codes are found:"),
  collisions: z.enum(COLLISION_POLICIES).default("nearest-free").describe(
    "items with equal codes: keep them, extra-level adds a code, nearest-free moves them to unused codewords",
  ),
  ...VariantFlag,
  ...settings,
}).refine(({ embeddings, data }) => (embeddings === "") !== (data === ""), {
  error: "Name either --embeddings FILE.npy or --data DATASET",
});

/** What `sid` did, for the stage that calls it. */
export interface SidSummary {
  items: number;
  distinct: number;
}

export const task: Task<typeof config> = {
  name: "sid",
  summary: "turn item embeddings into semantic IDs",
  examples: [
    "sid --embeddings items.npy --method rqkmeans --out sids/",
    "sid --data synthetic --codebook-size 32 --out sids/",
  ],
  config,
  async run(flags, io) {
    await makeSids(flags, io);
  },
};

/** Makes SIDs as the flags say; also the SID stage of `quickstart`. */
export async function makeSids(flags: z.output<typeof config>, io: TaskIO): Promise<SidSummary> {
  const { out, collisions, variant } = flags;
  const embeddings = await loadEmbeddings(flags.embeddings, flags.data);
  const method = methods.get(flags.method)!;
  const own = Object.keys(method.Config.shape);
  const methodConfig = method.Config.parse(
    Object.fromEntries(Object.entries(flags).filter(([key]) => own.includes(key))),
  );

  const { device } = await openDevice(variant);
  let progress: ReturnType<TaskIO["progress"]> | undefined;
  const fit = await method.fit(device, { embeddings }, methodConfig, ({ done, total, state }) => {
    io.signal.throwIfAborted();
    progress ??= io.progress(total, flags.method);
    progress.update(done, state);
  }).finally(() => progress?.stop());
  const resolved = resolve(collisions, fit, embeddings);
  const sids = resolved.sids.map(formatSid);
  const sizes = fit.model.codebookSizes;
  const report = {
    method: flags.method,
    settings: methodConfig,
    embeddings: flags.embeddings || flags.data,
    errors: fit.errors,
    beforePolicy: collisionsOf(
      reportSids(keepCollisions(codesOf(fit, embeddings)).sids.map(formatSid), sizes),
    ),
    policy: collisions,
    changed: resolved.changed.length,
    ...reportSids(sids, sizes),
  };

  await makeFolder(out);
  const { rows, dim, data } = embeddings;
  if (flags.data) await writeAtomic(join(out, "items.npy"), writeNpy([rows, dim], data));
  await writeAtomic(
    join(out, "codebooks.safetensors"),
    writeSafetensors(fit.model.tensors, { metadata: { method: flags.method } }),
  );
  await writeAtomic(join(out, "sid.report.json"), JSON.stringify(report, null, 2) + "\n");
  await writeAtomic(join(out, "index.json"), formatIndex(sids));
  if (io.json) console.log(JSON.stringify(report, null, 2));
  else print(report, io, out);
  return report;
}

async function loadEmbeddings(file: string, data: string): Promise<Embeddings> {
  if (data) {
    const { data: values, shape: [rows, dim] } = embedText(await loadDataset(data));
    return { data: values, rows, dim };
  }
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(file);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "no such file" : (error as Error).message;
    throw new UserError(`Cannot read embeddings ${file}: ${why}. Expected a .npy file of shape (items, dim)`);
  }
  return readMatrix(bytes, file);
}

function resolve(policy: CollisionPolicy, fit: SidFit, embeddings: Embeddings): ResolvedCodes {
  const codes = codesOf(fit, embeddings);
  if (policy === "keep") return keepCollisions(codes);
  if (policy === "extra-level") return addExtraLevel(codes);
  return moveToNearestFree(codes, fit.lastLevel);
}

function codesOf(fit: SidFit, { rows }: Embeddings) {
  return { data: fit.codes, rows, levels: fit.levels };
}

function collisionsOf({ distinct, collisionRate, largestGroup }: SidReport) {
  return { distinct, collisionRate, largestGroup };
}

type Report = SidReport & {
  policy: CollisionPolicy;
  changed: number;
  beforePolicy: ReturnType<typeof collisionsOf>;
};

function print(report: Report, io: TaskIO, out: string): void {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const { items, distinct, beforePolicy, policy, changed } = report;
  io.log(
    `${items} items, collision rate ${percent(beforePolicy.collisionRate)} as coded; ` +
      `policy ${policy} changed ${changed} of them: ${distinct} different SIDs, ${
        percent(report.collisionRate)
      } collide`,
  );
  const rows = report.levels.map(({ level, used, codebookSize, usage, gini, perplexity }) => [
    level,
    `${used} of ${codebookSize}`,
    percent(usage),
    gini.toFixed(2),
    perplexity.toFixed(1),
  ]);
  for (const line of tableLines([["level", "codewords used", "usage", "Gini", "perplexity"], ...rows])) {
    io.log(line);
  }
  io.log(
    `Wrote ${
      ["index.json", "sid.report.json", "codebooks.safetensors"].map((name) => join(out, name)).join(", ")
    }`,
  );
}
