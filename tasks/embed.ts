import { createHash } from "node:crypto";
import { basename, dirname } from "node:path";
import { z } from "zod";
import type { Corpus } from "../data/corpus.ts";
import { toDataset } from "../data/corpus_dataset.ts";
import { holdOut } from "../data/holdout.ts";
import { idListPath, rowsOfItems } from "../data/formats/id_list.ts";
import { itemText, minionerecText, TEXT_FIELDS } from "../data/item_text.ts";
import { loadCorpus } from "../data/formats/load.ts";
import { nonFiniteRows, readMatrix, writeNpy } from "../base/npy.ts";
import { diskFiles } from "../base/files/disk.ts";
import { sha256 } from "../base/files/sha256.ts";
import { UserError } from "../base/user_error.ts";
import { embeddingProvider, PROVIDERS } from "../embed/by_name.ts";
import type { EmbeddingContext, EmbeddingProvider, ItemVectors, TextProvider } from "../embed/provider.ts";
import type { Device } from "../kernels/gpu/device.ts";
import type { Layout } from "../kernels/gpu/tensor.ts";
import { withGguf } from "../models/gguf/files.ts";
import { textModelFolder } from "../train/runs/text_folder.ts";
import { writeAtomic } from "../base/files/write_atomic.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { tellAsked } from "./_cli/memory.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { makeFolder } from "../base/files/line_file.ts";
import { runShards, shardFlags, shardRows } from "./_cli/shard_processes.ts";
import { PartialRows, removePartial } from "./_cli/partial_rows.ts";
import { settingsFlags, settingsOf } from "./_cli/settings_flags.ts";

/** Ways to write the text of an item: ours, and that of MiniOneRec for comparisons with its published figures. */
export const DIALECTS = ["genrec", "minionerec"] as const;

const config = z.strictObject({
  data: z.string().describe("dataset directory, or synthetic"),
  out: z.string().regex(/\.npy$/, "expected a name that ends in .npy").describe(
    "file to write, such as items.npy; items.ids.json comes beside it",
  ),
  provider: z.enum(PROVIDERS.map(({ name }) => name)).default("static").describe("what makes the vectors:"),
  fields: z.array(z.enum(TEXT_FIELDS)).min(1).default([...TEXT_FIELDS]).describe(
    "text of an item, in this order:",
  ),
  maxCharacters: z.int().min(1).default(4000).describe("longer texts are cut at a space"),
  dialect: z.enum(DIALECTS).default("genrec").describe(
    "how texts are written; minionerec has its own fields and drops long ones:",
  ),
  holdoutRows: z.int().min(0).default(0).describe(
    "histories without the last so many train targets, for SIDs of models that do not know them either; 0: all of train",
  ),
  ...shardFlags("texts"),
  saveEvery: z.int().min(1).default(256).describe("texts between two saves of work that can go on later"),
  ...DeviceFlags,
  ...settingsFlags(PROVIDERS, "provider"),
});
type Flags = z.output<typeof config>;

export const task: Task<typeof config> = {
  name: "embed",
  summary: "turn item texts or histories into vectors",
  examples: [
    "embed --data data/mine --out items.npy",
    "embed --data data/mine --provider collaborative --out collab.npy",
    "embed --data data/mine --provider decoder --model SmolLM2-135M-Instruct --out items.npy",
    "embed --data data/mine --provider transformers.js --model all-MiniLM-L6-v2 --shards 2 --shard-adapters 0,1 --out items.npy",
    "embed --data data/mine --provider npy --from theirs.npy --out items.npy",
  ],
  config,
  run: embedItems,
};

/** Settings in which a run is the folder of its best weights, for providers whose model may be a run. */
async function withModelFolder(provider: EmbeddingProvider, settings: unknown): Promise<unknown> {
  if (provider.input !== "text" || !provider.takesRuns) return settings;
  const { model } = settings as { model: string };
  if (model === "") return settings;
  return { ...settings as object, model: await textModelFolder(model, "best", "embed with") };
}

/** Texts that vectors are made of, and what to say about them. */
export interface Texts {
  texts: string[];
  facts: { fields?: string[]; maxCharacters?: number; dialect: string; withoutText: number[] };
}

/** Embeds items as the flags say: `items.npy` and its id list. */
export async function embedItems(flags: Flags, io: TaskIO): Promise<void> {
  const { out, provider: name } = flags;
  const corpus = await loadCorpus(flags.data);
  const ids = corpus.items.map(({ id }) => id);
  rowsOfItems(ids, ids, flags.data);
  const provider = embeddingProvider(name);
  const providerConfig = await withModelFolder(
    provider,
    settingsOf(provider, PROVIDERS, flags, "provider"),
  );
  const devices = new Map<Layout | undefined, Promise<Device>>();
  const context: EmbeddingContext = {
    ...withGguf(diskFiles),
    device(layout) {
      const known = devices.get(layout) ?? openDevice(flags, { layout }).then(({ device }) => device);
      devices.set(layout, known);
      return known;
    },
  };

  let progress: ReturnType<TaskIO["progress"]> | undefined;
  const onProgress = (done: number, total: number) => {
    io.signal.throwIfAborted();
    progress ??= io.progress(total, name);
    progress.update(done);
  };
  const texts = provider.input === "text" ? textsOf(corpus, flags) : undefined;
  checkShards(flags, provider.input);
  checkHoldout(flags, provider.input);
  let vectors: ItemVectors;
  try {
    if (provider.input === "file") {
      vectors = await provider.load(context, ids, providerConfig);
    } else if (provider.input === "histories") {
      const { histories: known } = holdOut(toDataset(corpus), flags.holdoutRows);
      const histories = known.map(({ items }) => items);
      const input = { items: ids.length, histories };
      await tellAsked(
        () => context.device("buffer"),
        (device) => provider.embed({ ...context, device }, input, providerConfig),
        "the decomposition",
        io,
      );
      vectors = await provider.embed(context, input, providerConfig, onProgress);
    } else {
      const rows = shardRows(flags.shard, ids.length, { work: "embed", what: "texts" });
      const some = { ...texts!, texts: texts!.texts.slice(rows.first, rows.end) };
      vectors = flags.shards > 0
        ? await embedInShards(flags, io)
        : await embedTexts(provider, context, providerConfig, some, flags, io, onProgress);
      if (flags.shard !== "") return await writeShard(vectors, flags, io);
    }
  } finally {
    progress?.stop();
  }

  const { dim, data } = vectors;
  checkFinite(vectors, ids, name);
  const zeros = zeroRows(vectors);
  const inputs: Record<string, string> = {};
  for (const path of corpus.files) inputs[path] = await sha256(path);
  const summary = {
    format: "genrec-embeddings",
    version: 1,
    embeddings: basename(out),
    dataset: corpus.name,
    inputs,
    provider: name,
    settings: providerConfig,
    ...flags.holdoutRows > 0 && { holdoutRows: flags.holdoutRows },
    ...texts?.facts,
    rows: ids.length,
    dim,
    zeros,
  };
  await makeFolder(dirname(out));
  await writeAtomic(out, writeNpy([ids.length, dim], data));
  await writeAtomic(idListPath(out), JSON.stringify({ ...summary, ids }, null, 1) + "\n");
  await removePartial(out);
  for (const path of shardFiles(flags)) await Deno.remove(path);
  if (io.json) console.log(JSON.stringify(summary, null, 2));
  if (zeros.length > 0) {
    io.log(`${name} says nothing about ${zeros.length} items, their vectors are 0: ${listed(zeros)}`);
  }
  io.log(`Wrote ${out} (${ids.length}, ${dim}) and ${idListPath(out)}`);
}

/** Throws {@link UserError} for shards of what cannot be divided, or of a shard. */
function checkShards({ shard, shards, provider }: Flags, input: string): void {
  if (shard === "" && shards === 0) return;
  const flag = shard === "" ? `--shards ${shards}` : `--shard ${shard}`;
  if (shard !== "" && shards > 0) {
    throw new UserError(`Cannot use --shards ${shards} with --shard ${shard}: expected one of them`);
  }
  if (input === "text") return;
  throw new UserError(
    `Cannot use ${flag} with provider ${provider}: it reads no texts that could be divided. Leave it out`,
  );
}

/** Throws {@link UserError} for train targets left out of what reads none. */
function checkHoldout({ holdoutRows, provider }: Flags, input: string): void {
  if (holdoutRows === 0 || input === "histories") return;
  throw new UserError(
    `Cannot use --holdout-rows ${holdoutRows} with provider ${provider}: it reads no histories. Leave it out`,
  );
}

/** Files that the processes of `--shards` write, which are gone once there is a whole. */
function shardFiles({ out, shards }: Pick<Flags, "out" | "shards">): string[] {
  return Array.from({ length: shards }, (_, i) => out.replace(/\.npy$/, `.shard-${i}.npy`));
}

/** Embeds in processes of their own, and puts their rows together. */
async function embedInShards(flags: Flags, io: TaskIO): Promise<ItemVectors> {
  const { out: _, shards: __, shard: ___, shardAdapters, ...shared } = flags;
  const outs = shardFiles(flags);
  await runShards({ task: task.name, flags: shared, outs, adapters: shardAdapters }, io);
  const parts = [];
  for (const path of outs) parts.push(readMatrix(await diskFiles.readFile(path), path));
  const [{ dim }] = parts;
  const data = new Float32Array(parts.reduce((sum, { rows }) => sum + rows * dim, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { dim, data };
}

/** Writes the vectors of a shard alone, for the process that asked for it. */
async function writeShard({ dim, data }: ItemVectors, { out, shard }: Flags, io: TaskIO): Promise<void> {
  const rows = data.length / dim;
  await makeFolder(dirname(out));
  await writeAtomic(out, writeNpy([rows, dim], data));
  await removePartial(out);
  io.log(`Wrote ${out} (${rows}, ${dim}), shard ${shard}`);
}

/** Texts of items as the flags say. Throws {@link UserError} where no item has any. */
export function textsOf(
  { items }: Pick<Corpus, "items">,
  { fields, maxCharacters, dialect, provider }: Pick<
    Flags,
    "fields" | "maxCharacters" | "dialect" | "provider"
  >,
): Texts {
  const isOurs = dialect === "genrec";
  const texts = items.map((item) =>
    isOurs ? itemText(item, { fields, maxCharacters }) : minionerecText(item)
  );
  const withoutText = texts.flatMap((text, item) => text === "" ? [item] : []);
  if (withoutText.length === items.length) {
    throw new UserError(
      `Cannot embed with provider ${provider}: none of ${items.length} items has any of ${
        fields.join(", ")
      }. ` +
        "Use --provider collaborative, which reads histories",
    );
  }
  for (const item of withoutText) texts[item] = "unknown item";
  return { texts, facts: { dialect, ...(isOurs && { fields, maxCharacters }), withoutText } };
}

async function embedTexts(
  provider: TextProvider,
  context: EmbeddingContext,
  providerConfig: unknown,
  { texts }: Texts,
  { out, saveEvery, shard }: Flags,
  io: TaskIO,
  onProgress: (done: number, total: number) => void,
): Promise<ItemVectors> {
  if (provider.onDevice) await tellTexts(provider, context, providerConfig, { texts, saveEvery }, io);
  const embedder = await provider.open(context, providerConfig);
  const { dim } = embedder;
  try {
    if (embedder.wholeCorpus && shard !== "") {
      throw new UserError(
        `Cannot embed a shard with provider ${provider.name}: its vectors depend on all texts. Leave out --shards`,
      );
    }
    if (embedder.wholeCorpus) {
      await tellWhole(provider, context, providerConfig, texts, io);
      const data = await embedder.embed(texts, onProgress);
      return { dim: data.length / texts.length, data };
    }
    const hash = createHash("sha256").update(JSON.stringify(texts)).digest("hex");
    const what = JSON.stringify({ provider: provider.name, settings: providerConfig, texts: hash, dim });
    await makeFolder(dirname(out));
    const partial = await PartialRows.open(out, what, texts.length, dim);
    if (partial.rows > 0) {
      io.log(`Going on after ${partial.rows} of ${texts.length} texts, as ${out}.partial has them`);
    }
    for (let done = partial.rows; done < texts.length; done = partial.rows) {
      if (io.signal.aborted) {
        io.log(`${done} of ${texts.length} texts are saved: the same command goes on from there`);
      }
      onProgress(done, texts.length);
      await partial.append(await embedder.embed(texts.slice(done, done + saveEvery)));
    }
    onProgress(texts.length, texts.length);
    return { dim, data: partial.data };
  } finally {
    embedder.close();
  }
}

/** Says what the model and the longest texts of those that go together take. */
async function tellTexts(
  provider: TextProvider,
  context: EmbeddingContext,
  providerConfig: unknown,
  { texts, saveEvery }: { texts: readonly string[]; saveEvery: number },
  io: TaskIO,
): Promise<void> {
  const longest = texts.toSorted((a, b) => b.length - a.length).slice(0, saveEvery);
  await tellAsked(
    context.device,
    async (device) => {
      const counting = await provider.open({ ...context, device }, providerConfig);
      await counting.embed(longest);
      counting.close();
    },
    "the model and its texts",
    io,
  );
}

/** Says what vectors of all texts together take, where a device computes them. */
async function tellWhole(
  provider: TextProvider,
  context: EmbeddingContext,
  providerConfig: unknown,
  texts: string[],
  io: TaskIO,
): Promise<void> {
  await tellAsked(
    () => context.device("buffer"),
    async (device) => await (await provider.open({ ...context, device }, providerConfig)).embed(texts),
    "the decomposition",
    io,
  );
}

function checkFinite({ dim, data }: ItemVectors, ids: string[], provider: string): void {
  const bad = nonFiniteRows({ rows: ids.length, dim, data });
  if (bad.length === 0) return;
  throw new UserError(
    `Cannot write embeddings: provider ${provider} made NaN or infinity for items ${listed(bad)}. ` +
      "Check the model and its number format",
  );
}

function zeroRows({ dim, data }: ItemVectors): number[] {
  const zeros: number[] = [];
  for (let at = 0; at < data.length; at += dim) {
    if (data.subarray(at, at + dim).every((value) => value === 0)) zeros.push(at / dim);
  }
  return zeros;
}

function listed(items: number[]): string {
  return items.slice(0, 5).join(", ") + (items.length > 5 ? ` and ${items.length - 5} more` : "");
}
