import { basename, join } from "node:path";
import { byFirst, ofFirst } from "../../base/parallel/first_rank.ts";
import { diskFiles } from "../../base/files/disk.ts";
import type { Dataset } from "../../data/dataset.ts";
import { formatIndex } from "../../data/formats/index_file.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { StopRehearsal } from "../../kernels/gpu/rehearsal.ts";
import { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { loadEncoderDecoder } from "../../models/encoder_decoder/load.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { rqVae } from "../../sid/methods/rq_vae.ts";
import type { BaselineInput, BaselineResult } from "../../train/baselines/method.ts";
import { type CodeTable, codeTable, tokenStrings } from "../../train/etegrec/code_table.ts";
import type { EtegrecConfig } from "../../train/etegrec/config.ts";
import { trainJoint } from "../../train/etegrec/joint.ts";
import {
  checkTokenizer,
  ItemTokenizer,
  readItemTokenizer,
  type StoredItemTokenizer,
  tokenizerFiles,
} from "../../train/etegrec/item_tokenizer.ts";
import { pretrainingConfig } from "../../train/etegrec/item_tokenizer_config.ts";
import { encoderDecoderConfig, type PairTrainingConfig } from "../../train/encoder_decoder/pair_config.ts";
import { trainPairs } from "../../train/encoder_decoder/pair_training.ts";
import { retrievalFiles } from "../../train/encoder_decoder/retrieval.ts";
import { readNamedTokenizer } from "./named_tokenizer.ts";
import { OutputLock } from "../../base/files/output/lock.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { tellRehearsed } from "../_cli/memory.ts";
import type { ReportSettings } from "../../train/run/fields.ts";
import { settingsDefaults } from "../_cli/settings_flags.ts";
import { KeptTraining } from "../_sid/kept_training.ts";
import { startRun } from "../../train/runs/start_run.ts";
import { observersOf } from "./observers.ts";
import { EpochProgress } from "../_cli/epoch_progress.ts";
import type { RunManifest } from "../../train/run/inputs.ts";
import { endedAs } from "../_cli/training_lines.ts";
import { duration, type Progress } from "../_cli/progress.ts";

/** Stages that recommend, each in a folder of its own. */
export type StageName = "frozen" | "joint" | "finetune" | "rl";

/** How a stage ended: the validation of what it keeps, and its time. */
export type StageOutcome = Pick<BaselineResult, "best" | "seconds">;

/** Stages that were trained, in order. */
export type TrainedStages = ReadonlyMap<StageName, StageOutcome>;

/** What stages are trained on. */
export interface StagesInput {
  device: Device;
  dataset: Dataset;
  /** Vectors of all items. */
  vectors: Embeddings;
  settings: EtegrecConfig;
  manifest: RunManifest;
  /** Where metrics of the stages go besides their `metrics.jsonl`. */
  reports: ReportSettings;
  /** Folder of the stages' folders. */
  out: string;
  /** Where data and vectors came from, for the settings of each stage. */
  from: Record<string, unknown>;
  /** Tokenizer stage of another run; "" to pretrain one. */
  tokenizer: string;
  io: TaskIO;
}

/** The stages of ETEGRec, each a run directory that goes on where it was stopped. */
export class EtegrecStages {
  readonly #input: StagesInput;

  constructor(input: StagesInput) {
    this.#input = input;
  }

  /** Throws `UserError` where the tokenizer of another run is missing or has other sizes. */
  async check(): Promise<void> {
    if (this.#input.tokenizer !== "") await this.#loadTokenizer();
  }

  /** Trains what is not trained yet. Undefined where the run was interrupted. */
  async train(): Promise<Map<StageName, StageOutcome> | undefined> {
    const { settings, dataset, vectors, io } = this.#input;
    const { signal } = io;
    const tokenizer = await this.#pretrained();
    if (!tokenizer) return undefined;
    const trained = new Map<StageName, StageOutcome>();
    const ended = (name: StageName, result: BaselineResult) => {
      if (result.stopped !== "interrupted") trained.set(name, result);
      return result.stopped === "interrupted";
    };
    if (settings.frozenEpochs > 0 && ended("frozen", await this.#frozen(tokenizer))) return undefined;

    const codes = await this.#codes(tokenizer);
    const joint = await this.#stage(
      "joint",
      { ...settings, run: this.#tokenizerPath },
      (stage) =>
        trainJoint({
          ...stage,
          dataset,
          vectors,
          signal,
          start: tokenizer,
          codes,
          onCodes: (epoch, changed, { largest, share, distinct }) =>
            io.log(
              `epoch ${epoch}: ${changed} items have another SID; ${distinct} different paths of codes, ${
                (100 * share).toFixed(1)
              } % of the items share theirs, at most ${largest} a path`,
            ),
        }, settings),
    );
    if (ended("joint", joint)) return undefined;
    if (settings.finetuneEpochs > 0 && ended("finetune", await this.#finetune())) return undefined;
    return trained;
  }

  get #tokenizerPath(): string {
    return this.#input.tokenizer || join(this.#input.out, "tokenizer");
  }

  /**
   * The tokenizer of another run, or that of this one, which the first rank trains where there is none yet. Undefined
   * where the run was interrupted.
   */
  async #pretrained(): Promise<StoredItemTokenizer | undefined> {
    const { tokenizer, io: { world, signal } } = this.#input;
    const isDone = tokenizer !== "" || await byFirst(world, signal, (signal) => this.#pretrain(signal));
    return isDone ? await this.#loadTokenizer() : undefined;
  }

  async #pretrain(signal: AbortSignal): Promise<void> {
    const { device, dataset, vectors, settings, from, manifest, reports, out, io } = this.#input;
    const run = new RunDirectory(this.#tokenizerPath);
    await using _lock = await OutputLock.take(run.path, "etegrec");
    if (await run.hasCheckpoint()) return;
    io.log("Stage tokenizer: an RQ-VAE of the item vectors");
    const config = pretrainingConfig(settings, settings.seed);
    const startedAt = performance.now();
    const path = join(run.path, "training");
    const resolved = { ...from, ...config };
    const resume = await new RunDirectory(path).hasCheckpoint();
    if (resume) io.log("It goes on where it was stopped");
    const training = await KeptTraining.open(path, {
      settings: { ...config },
      defaults: settingsDefaults(rqVae.Config),
      config: resolved,
      manifest,
      reports,
      name: `${basename(out)} tokenizer`,
    }, resume);
    const counted = (counting: Device, stop: StopRehearsal) =>
      rqVae.fit(counting, { embeddings: vectors }, config, ({ kept }) => stop(kept));
    await tellRehearsed(device, counted, `the fit of ${vectors.rows} items`, io);
    let progress: Progress | undefined;
    const fit = await rqVae.fit(device, { embeddings: vectors }, config, ({ done, total, state }) => {
      signal.throwIfAborted();
      progress ??= io.progress(total, "tokenizer");
      progress.update(done, state);
    }, training.openStore(io)).finally(() => progress?.stop());
    device.trim();
    const { model: { codebookSizes, tensors }, notes } = fit;
    const stored = { codebookSizes, tensors, normalize: config.normalize };
    const table = await this.#codes(stored);
    const { largest, share, distinct } = table.conflicts;
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    // Without a checkpoint the folder is what a stopped run left: the same is made anew.
    const sids = tokenStrings(table);
    const texts = { "index.json": formatIndex(sids) };
    await Deno.remove(join(run.path, "config.json")).catch(() => {});
    await startRun(run, { texts, manifest, dataset, sids, config: resolved });
    await run.log({ step: config.epochs, seconds, ...table.conflicts, ...notes });
    const files = tokenizerFiles(stored).map(({ name, bytes }) => [name, bytes]);
    await run.saveCheckpoint(config.epochs, Object.fromEntries(files), true);
    await training.end();
    io.log(
      `Codes of ${vectors.rows} items: ${distinct} different paths, ${
        (100 * share).toFixed(1)
      } % of the items share theirs, at most ${largest} a path; ${duration(seconds)}`,
    );
  }

  async #loadTokenizer(): Promise<StoredItemTokenizer> {
    const { vectors, settings } = this.#input;
    const path = this.#tokenizerPath;
    const stored = await readNamedTokenizer(path, vectors);
    checkTokenizer(stored, path, {
      width: vectors.dim,
      levels: settings.tokenizerLevels,
      codebookSize: settings.tokenizerCodebookSize,
      latentDim: settings.tokenizerLatentDim,
    });
    return stored;
  }

  /** A recommender from scratch on the SIDs of the pretrained tokenizer. */
  async #frozen(tokenizer: StoredItemTokenizer): Promise<BaselineResult> {
    const { settings, dataset, io } = this.#input;
    const config = { ...settings, numTrainEpochs: settings.frozenEpochs };
    return await this.#stage("frozen", { ...config, run: this.#tokenizerPath }, async (stage) => {
      const table = await this.#codes(tokenizer);
      const model = new EncoderDecoder(stage.device, encoderDecoderConfig(settings, table.tokens.sizes));
      model.initialize(settings.seed, settings.initializerRange);
      const sids = tokenStrings(table);
      return await trained(model, () =>
        trainPairs(model, table.tokens, {
          ...stage,
          dataset,
          signal: io.signal,
          companions: retrievalFiles(sids, config),
        }, config));
    });
  }

  /** The best recommender of joint training, on its SIDs. */
  async #finetune(): Promise<BaselineResult> {
    const { settings, dataset, io } = this.#input;
    const config: PairTrainingConfig = {
      ...settings,
      numTrainEpochs: settings.finetuneEpochs,
      learningRate: settings.finetuneLearningRate,
      warmupSteps: 0,
    };
    const joint = join(this.#input.out, "joint");
    return await this.#stage("finetune", { ...config, run: joint }, async (stage) => {
      const folder = await keptCheckpoint(new RunDirectory(joint));
      const table = await this.#codes(await readItemTokenizer(folder));
      const model = await loadEncoderDecoder(stage.device, folder, diskFiles);
      return await trained(model, () =>
        trainPairs(model, table.tokens, {
          ...stage,
          dataset,
          signal: io.signal,
          companions: retrievalFiles(tokenStrings(table), config),
        }, config));
    });
  }

  async #codes(stored: StoredItemTokenizer): Promise<CodeTable> {
    const { device, vectors, settings } = this.#input;
    const tokenizer = new ItemTokenizer(device, vectors, stored);
    return await trained(tokenizer, () => codeTable(tokenizer, settings));
  }

  /** Trains into the folder of a stage, and tells how it goes. */
  async #stage(
    name: StageName,
    settings: Record<string, unknown>,
    train: (
      stage: Pick<
        BaselineInput,
        | "device"
        | "run"
        | "resume"
        | "world"
        | "openObserver"
        | "rehearsed"
        | "onStart"
        | "onStep"
        | "onEpoch"
      >,
    ) => Promise<BaselineResult>,
  ): Promise<BaselineResult> {
    const { device, dataset, manifest, out, from, reports, io } = this.#input;
    const run = new RunDirectory(join(out, name), this.#input.settings);
    const { world } = io;
    await using _lock = world.rank === 0 ? await OutputLock.take(run.path, "etegrec") : undefined;
    const resume = await ofFirst(world, await isFile(`${run.path}/config.json`));
    io.log(`Stage ${name}${resume ? ", continued" : ""}`);
    await tellRehearsed(
      device,
      (device, stop) =>
        train({ device, run: new RunDirectory(run.path, { onWrite: stop }), resume: false, rehearsed: stop }),
      "the training, its validations and checkpoints",
      io,
    );
    const config = { stage: name, ...from, ...settings };
    const progress = new EpochProgress({ device, run, resume, manifest, dataset, config, name }, io);
    const { onStart, onStep, onEpoch } = progress;
    const openObserver = observersOf(run.path, { ...config, ...reports }, io, `${basename(out)} ${name}`);
    const result = await train({ device, run, resume, world, openObserver, onStart, onStep, onEpoch })
      .finally(() => progress.stop());
    device.trim(); // the next stage has other shapes
    if (result.stopped === "interrupted") return result;
    const index = await Deno.readTextFile(`${await keptCheckpoint(run)}/index.json`);
    if (world.rank === 0) await run.write("index.json", index);
    const kept = result.best
      ? `; kept step ${result.best.step}, valid NDCG@10 ${result.best.score.toFixed(4)}`
      : "";
    io.log(`${endedAs(result.stopped)} after ${duration(result.seconds)}${kept}`);
    return result;
  }
}

/** Folder of the checkpoint that a stage keeps: the latest one where none was validated. */
export async function keptCheckpoint(run: RunDirectory): Promise<string> {
  return await run.checkpoint(await isFile(`${run.path}/best`) ? "best" : "latest");
}

/** Which of the stages after pretraining is kept, by the validations of their trainings; tells where that is not the last. */
export function betterStage(stages: TrainedStages, io: TaskIO): StageName {
  const [joint, finetune] = [stages.get("joint")!, stages.get("finetune")];
  if (!finetune) return "joint";
  const [before, after] = [joint.best?.score ?? 0, finetune.best?.score ?? 0];
  if (after >= before) return "finetune";
  io.log(
    `Finetuning made it no better: valid NDCG@10 ${after.toFixed(4)}, ${
      before.toFixed(4)
    } before. Kept is joint`,
  );
  return "joint";
}

/** Result of `work`, after which `part` is freed. */
async function trained<T>(part: { destroy(): void }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    part.destroy();
  }
}
