// Our answers to the cases: logits, greedy texts, beams, losses of a training, and what it saves.
import { join } from "node:path";
import { diskFiles } from "../../base/files/disk.ts";
import { BeamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { TextWriter } from "../../decode/text_writer.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { decoderProvider } from "../../embed/decoder.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { type ModelFile, Pretrained } from "../../models/hugging_face/pretrained.ts";
import { train, type TrainingStore } from "../../models/training/loop.ts";
import { buildTrie } from "../../sid/trie.ts";
import { checkpointFiles } from "../../train/run/checkpoint.ts";
import type { TrainerState } from "../../train/run/loss_log.ts";
import { PackedData } from "../../train/run/packed_data.ts";
import { sftDecoder } from "../../train/sft/decoder.ts";
import { SftTraining } from "../../train/sft/training.ts";
import { type Cases, caseSource, type Mode, trainingSettings, writeFiles } from "./cases.ts";

/** Answers to prompts. */
export interface Answers {
  /** Of each prompt (V): what follows its last token. */
  logits: ArrayLike<number>[];
  /** Tokens of the greedy text after each of the first prompts. */
  greedy: number[][];
  /** Tokens of the best SIDs for each of them, best first, and their log-probabilities. */
  beams: { tokens: number[][]; scores: number[] }[];
}

/** The model of a directory, opened to answer. */
export async function openModel(device: Device, folder: string): Promise<Decoder> {
  const pretrained = await Pretrained.open(folder, diskFiles);
  return await Decoder.load(device, pretrained, pretrained.config, { trainable: () => false });
}

/** Our {@link Answers}: logits of the first `prompts` prompts, texts and beams of the first `answers`. */
export async function ourAnswers(
  device: Device,
  decoder: Decoder,
  cases: Cases,
  { prompts: count, answers }: Pick<Cases["sizes"], "prompts" | "answers"> = cases.sizes,
): Promise<Answers> {
  const prompts = cases.prompts.slice(0, count).map((tokens) => Uint32Array.from(tokens));
  const logits: Float32Array[] = [];
  for (const prompt of prompts) logits.push(await lastLogits(device, decoder, prompt));
  const asked = prompts.slice(0, answers);
  const writer = new TextWriter(device, decoder, {
    maxNewTokens: cases.sizes.newTokens,
    stop: new Set(),
    temperature: 0,
    seed: 0,
  });
  const greedy = (await writer.run(asked)).map((tokens) => [...tokens]);
  const beams = await bestSids(device, decoder, asked, cases.sids, cases.sizes.beams);
  return { logits, greedy, beams };
}

/** Vectors of the texts of items by the model of a directory: means of the hidden states after its last norm. */
export async function ourVectors(device: Device, folder: string, cases: Cases): Promise<Float32Array[]> {
  const context = { ...diskFiles, device: () => Promise.resolve(device) };
  const settings = {
    model: folder,
    pooling: "mean",
    normalize: false,
    prefix: "",
    batchTokens: 512,
  } as const;
  const embedder = await decoderProvider.open(context, { ...settings, maxLength: cases.textTokens });
  const vectors = await embedder.embed(cases.texts);
  embedder.close();
  const { dim } = embedder;
  return cases.texts.map((_, i) => vectors.subarray(i * dim, (i + 1) * dim));
}

/** The best `beams` of the SIDs `sids` after each prompt, by log-probability over the whole vocabulary. */
export async function bestSids(
  device: Device,
  decoder: Decoder,
  prompts: readonly Uint32Array[],
  sids: readonly number[][],
  beams: number,
): Promise<Answers["beams"]> {
  const trie = new DeviceTrie(device, buildTrie(sids.map((tokens) => Uint32Array.from(tokens))));
  const search = new BeamSearch(device, decoder, trie, { beams, normalisation: "vocab" });
  const found = await search.run([...prompts]);
  search.destroy();
  return found.map(({ leaves, scores }) => ({
    tokens: leaves.map((leaf) => sids[trie.host.firstItemBelow(leaf)]),
    scores,
  }));
}

/** Logits (V) after the last token of a prompt. */
export async function lastLogits(
  device: Device,
  decoder: Decoder,
  prompt: Uint32Array,
): Promise<Float32Array> {
  const session = decoder.start([prompt], 1, 1);
  try {
    const parts = device.scope(() =>
      [...decoder.logitParts(session.hidden)].map((part) => device.keep(part))
    );
    const read = await device.read(...parts);
    parts.forEach((part) => device.free(part));
    return Float32Array.from(read.flatMap((part) => [...part]));
  } finally {
    session.close();
  }
}

/**
 * Losses of the steps of a training, each told to `afterStep` once it is read, before the next step begins. What it ends
 * with is saved in `saved`, where that is named.
 */
export async function trainedLosses(
  device: Device,
  folder: string,
  cases: Cases,
  mode: Mode,
  { saved, afterStep }: { saved?: string; afterStep?: (loss: number) => Promise<void> } = {},
): Promise<number[]> {
  const settings = trainingSettings(cases, mode);
  const pretrained = await Pretrained.open(join(folder, "start"), diskFiles);
  const { config: architecture } = pretrained;
  const inputs = {
    architecture,
    pretrained,
    firstNewRow: architecture.vocab_size,
    frozenRows: cases.frozenRows,
  };
  const decoder = await sftDecoder(device, inputs, settings);
  const data = new PackedData(caseSource(cases.sequences), settings, settings.seed);
  const losses: number[] = [];
  const { signal } = new AbortController();
  const training = new SftTraining({ device, data, config: settings, signal }, decoder, () => ({
    store: logOnly(async ({ loss }) => {
      losses.push(Number(loss));
      await afterStep?.(Number(loss));
    }),
    saveFailed: () => Promise.resolve("Nothing of it is kept"),
  }));
  try {
    const { state } = await train(training);
    if (saved !== undefined) {
      const companions: ModelFile[] = await Array.fromAsync(pretrained.companions());
      const parts = {
        decoder,
        optimizer: training.optimizer,
        state,
        companions,
        baseModel: join(folder, "start"),
      };
      await writeFiles(saved, withoutMoments(checkpointFiles(parts)));
    }
  } finally {
    training.destroy();
    decoder.destroy();
    device.trim();
  }
  return losses;
}

/** A store of nothing but the log. */
function logOnly(log: (line: Record<string, unknown>) => Promise<void>): TrainingStore<TrainerState> {
  const done = () => Promise.resolve();
  return {
    restore: (fresh) => Promise.resolve(fresh),
    open: done,
    log: (_steps, line) => log(line),
    save: done,
    close: done,
  };
}

async function* withoutMoments(files: ReturnType<typeof checkpointFiles>) {
  for await (const file of files) {
    if (file.name.startsWith("trainer.")) return; // they come last
    yield file;
  }
}
