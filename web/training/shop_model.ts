import type { Dataset } from "../../data/dataset.ts";
import { syntheticDataset } from "../../data/synthetic/shop.ts";
import { embeddings } from "../../data/synthetic/word_embeddings.ts";
import { UserError } from "../../base/user_error.ts";
import { popularItems } from "../../eval/item_lists.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { savePretrained } from "../../models/hugging_face/save_pretrained.ts";
import { train, type TrainingStore } from "../../models/training/loop.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import { collisionPolicy } from "../../sid/collisions/by_name.ts";
import { rqKmeans } from "../../sid/methods/rq_kmeans.ts";
import { formatSid, SidVocabulary } from "../../sid/tokens.ts";
import { PackedData } from "../../train/run/packed_data.ts";
import type { TrainerState } from "../../train/run/loss_log.ts";
import { Validation, validationSettings } from "../../train/run/validation.ts";
import type { SftConfig } from "../../train/sft/config.ts";
import { sftDecoder } from "../../train/sft/decoder.ts";
import { sidInputs } from "../../train/sft/sid_inputs.ts";
import { SftTraining } from "../../train/sft/training.ts";
import { fileEntries, type SiteModel } from "../site/site.ts";

/** What a training is made with. */
export interface ShopTrainingOptions {
  device: Device;
  /** Items of the shop. */
  items: number;
  /** Its customers. */
  users: number;
  /** Codewords of each level of the SIDs. */
  codewords: number;
  /** Settings, complete and checked: see `sftConfig()`. */
  settings: SftConfig;
  /** Stops it after the current step; what is learned by then is kept. */
  signal: AbortSignal;
  /** Told of every line of the log. */
  onProgress(progress: ShopProgress): void;
}

/** Where a training stands. */
export interface ShopProgress {
  /** Steps done. */
  step: number;
  /** Steps of the whole training. */
  steps: number;
  /** Seconds since its start, SIDs included. */
  seconds: number;
  /** Mean loss of the steps since the last line. */
  loss?: number;
  /** NDCG@10 on a part of the valid split. */
  ndcg10?: number;
}

/** A model that was trained, and its files by name. */
export interface ShopModel {
  model: SiteModel;
  files: Map<string, Uint8Array<ArrayBuffer>>;
}

/**
 * Trains a decoder for the built-in shop from nothing: makes the shop, semantic IDs of its items, and the model. All of
 * it as in Deno, without a disk.
 * @throws {UserError} for a loss that is not finite, and where it was stopped before the first step.
 */
export async function trainShop(options: ShopTrainingOptions): Promise<ShopModel> {
  const { device, items, users, codewords, settings, signal, onProgress } = options;
  const start = performance.now();
  const dataset = syntheticDataset({ items, users });
  const sids = await makeSids(device, dataset, codewords);
  const vocabulary = SidVocabulary.fromSids(sids);
  const inputs = sidInputs(dataset, sids, vocabulary, settings);
  const normalisation = "vocab";
  const validation = new Validation({
    device,
    dataset: dataset.name,
    valid: dataset.samples.valid,
    prompts: inputs.prompts,
    normalisation,
    ...validationSettings(settings),
  });
  const decoder = await sftDecoder(device, inputs, settings);
  const data = new PackedData(inputs.source, settings, settings.seed);
  const training = new SftTraining(
    { device, data, config: settings, validation, signal },
    decoder,
    ({ plan }) => ({
      store: reporting((step, line) => {
        const seconds = (performance.now() - start) / 1000;
        const { loss, valid } = line as { loss?: number; valid?: { ndcg10: number } };
        onProgress({ step, steps: plan.total, seconds, loss, ndcg10: valid?.ndcg10 });
      }),
      saveFailed: () => Promise.resolve("Nothing of it is kept"),
    }),
  );
  try {
    const { state } = await train(training);
    if (state.step === 0) throw new UserError("Stopped before the first step: there is no model yet");
    const { specs } = decoder.parameters;
    const weights = decoder.parameters.readTensors(training.optimizer.average);
    const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const files = new Map([
      ["index.json", encode({ ...sids })],
      ["vocabulary.json", encode(vocabulary.toJSON())],
      [
        "items.json",
        encode({
          titles: dataset.items.map(({ title }) => title),
          popular: popularItems(dataset.samples.train, dataset.items.length),
        }),
      ],
    ]);
    for await (const { name, bytes } of savePretrained(decoder.config, specs.flatMap(partsOf), weights)) {
      files.set(name, bytes);
    }
    const model: SiteModel = {
      dataset: "Built-in shop",
      run: "trained here",
      checkpoint: `step-${state.step}`,
      architecture: decoder.config.model_type,
      maxHistory: settings.maxHistory,
      normalisation,
      dtype: "float32",
      files: await fileEntries(files),
    };
    return { model, files };
  } finally {
    training.destroy();
    validation.destroy();
    decoder.destroy();
  }
}

async function makeSids(device: Device, dataset: Dataset, codewords: number): Promise<string[][]> {
  const { data, shape: [rows, dim] } = embeddings(dataset);
  // One start of each level is enough to learn from, and a third of the wait.
  const settings = rqKmeans.Config.parse({ codebookSize: codewords, starts: 1 });
  const { codes, levels, lastLevel } = await rqKmeans.fit(
    device,
    { embeddings: { data, rows, dim } },
    settings,
  );
  const { sids } = collisionPolicy("extra-level").resolve({ data: codes, rows, levels }, lastLevel);
  return sids.map((sid) => formatSid(sid));
}

/** A place that tells of a training and keeps nothing: what it learned is read from the model at its end. */
function reporting(tell: (step: number, line: Record<string, unknown>) => void): TrainingStore<TrainerState> {
  return {
    restore: (fresh) => Promise.resolve(fresh),
    open: () => Promise.resolve(),
    log: (step, line) => Promise.resolve(tell(step, line)),
    save: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
