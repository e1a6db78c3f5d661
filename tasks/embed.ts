import { basename } from "node:path";
import { z } from "zod";
import type { Dataset } from "../data/dataset.ts";
import { itemText, minionerecText, NO_TEXT, TEXT_FIELDS } from "../data/item_text.ts";
import { loadDataset } from "../data/load.ts";
import { nonFiniteRows, writeNpy } from "../data/npy.ts";
import { diskFiles } from "../data/read_files.ts";
import { UserError } from "../data/user_error.ts";
import { sha256 } from "../data/sha256.ts";
import type {
  EmbeddingContext,
  EmbeddingProvider,
  HistoryProvider,
  TextProvider,
} from "../models/embedding/provider.ts";
import * as registry from "../models/embedding/registry.ts";
import { writeAtomic } from "../train/run_directory.ts";
import type { Task, TaskIO } from "./_cli.ts";
import { openDevice, VariantFlag } from "./_inputs.ts";

const providers = new Map<string, EmbeddingProvider>(
  (Object.values(registry) as EmbeddingProvider[]).map((provider) => [provider.name, provider]),
);

// Providers share the names of settings that mean the same; each picks its own out of all of them.
const settings: Record<string, z.ZodType> = {};
for (const { Config } of providers.values()) {
  for (const [key, field] of Object.entries(Config.shape)) settings[key] ??= field as z.ZodType;
}

/** Texts of other programs, for comparisons with their published figures. */
const DIALECTS = ["genrec", "minionerec"] as const;

const config = z.strictObject({
  data: z.string().describe("dataset directory, or synthetic"),
  out: z.string().describe("file to write, such as items.npy; items.ids.json comes beside it"),
  provider: z.enum([...providers.keys()]).default("static").describe("what makes the vectors:"),
  fields: z.array(z.enum(TEXT_FIELDS)).min(1).default(["title", "brand", "categories", "description"])
    .describe(
      "text of an item, of",
    ),
  maxCharacters: z.int().min(1).default(4000).describe("longer texts are cut at a space"),
  dialect: z.enum(DIALECTS).default("genrec").describe(
    "minionerec: title and description as that program joins them, long ones dropped;",
  ),
  batchSize: z.int().min(1).default(32).describe("texts at a time, for providers that take them so"),
  ...VariantFlag,
  ...settings,
});
type Flags = z.output<typeof config>;

export const task: Task<typeof config> = {
  name: "embed",
  summary: "turn item texts or histories into vectors",
  examples: [
    "embed --data data/mine --out items.npy",
    "embed --data data/mine --provider npy --from theirs.npy --out items.npy",
  ],
  config,
  async run(flags, io) {
    await embedItems(flags, io);
  },
};

/** Embeds items as the flags say. */
async function embedItems(flags: Flags, io: TaskIO): Promise<void> {
  const dataset = await loadDataset(flags.data);
  const provider = providers.get(flags.provider)!;
  const own = Object.keys(provider.Config.shape);
  const providerConfig = provider.Config.parse(
    Object.fromEntries(Object.entries(flags).filter(([key]) => own.includes(key))),
  );
  const context: EmbeddingContext = {
    ...diskFiles,
    device: async (layout) => (await openDevice(flags.variant, layout)).device,
  };
  const { dim, data, facts } = provider.input === "text"
    ? await embedTexts(provider, providerConfig, context, dataset, flags, io)
    : await embedHistories(provider, providerConfig, context, dataset, io);
  const rows = dataset.items.length;
  const bad = nonFiniteRows({ rows, dim, data });
  if (bad.length > 0) {
    throw new UserError(
      `Cannot write ${flags.out}: provider ${flags.provider} made NaN or infinity for items ${
        bad.slice(0, 5).join(", ")
      }${bad.length > 5 ? ` and ${bad.length - 5} more` : ""}. Check the model, or its number format`,
    );
  }
  const inputs: Record<string, string> = {};
  for (const path of dataset.files) inputs[path] = await sha256(path);
  const ids = dataset.items.map((_, item) => String(item));
  const list = {
    format: "genrec-embeddings",
    version: 1,
    embeddings: basename(flags.out),
    dataset: dataset.name,
    inputs,
    provider: flags.provider,
    settings: providerConfig,
    rows,
    dim,
    ...facts,
    ids,
  };
  const idsPath = idsFileOf(flags.out);
  await writeAtomic(flags.out, writeNpy([rows, dim], data));
  await writeAtomic(idsPath, JSON.stringify(list, null, 1) + "\n");
  if (io.json) {
    const { ids: _, ...summary } = list;
    console.log(JSON.stringify(summary, null, 2));
  } else {
    io.log(`Wrote ${flags.out} (${rows}, ${dim}) and ${idsPath}`);
  }
}

interface Made {
  dim: number;
  data: Float32Array<ArrayBuffer>;
  facts: Record<string, unknown>;
}

async function embedTexts(
  provider: TextProvider,
  providerConfig: unknown,
  context: EmbeddingContext,
  dataset: Dataset,
  flags: Flags,
  io: TaskIO,
): Promise<Made> {
  const { fields, maxCharacters, dialect } = flags;
  const texts = dataset.items.map((item) =>
    dialect === "minionerec" ? minionerecText(item) : itemText(item, { fields, maxCharacters })
  );
  const withoutText = texts.flatMap((text, item) => text === NO_TEXT ? [item] : []);
  const embedder = await provider.open(context, providerConfig);
  let progress: ReturnType<TaskIO["progress"]> | undefined;
  try {
    const data = await embedder.embed(texts, (done, total) => {
      io.signal.throwIfAborted();
      progress ??= io.progress(total, provider.name);
      progress.update(done);
    });
    return { dim: embedder.dim, data, facts: { fields, maxCharacters, dialect, withoutText } };
  } finally {
    progress?.stop();
    embedder.close();
  }
}

async function embedHistories(
  provider: HistoryProvider,
  providerConfig: unknown,
  context: EmbeddingContext,
  dataset: Dataset,
  io: TaskIO,
): Promise<Made> {
  let progress: ReturnType<TaskIO["progress"]> | undefined;
  const histories = dataset.histories.map(({ items }) => items);
  const { dim, data, unseen } = await provider.embed(
    context,
    { items: dataset.items.length, histories },
    providerConfig,
    (done, total) => {
      io.signal.throwIfAborted();
      progress ??= io.progress(total, provider.name);
      progress.update(done);
    },
  ).finally(() => progress?.stop());
  return { dim, data, facts: { unseen } };
}

/** The id list of `items.npy`: `items.ids.json`. */
function idsFileOf(out: string): string {
  return out.replace(/\.npy$/, "") + ".ids.json";
}
