import type { Dataset } from "../../data/dataset.ts";
import { formatIndex } from "../../data/formats/index_file.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { BaselineEpoch, BaselineFacts, BaselineResult } from "../../train/baselines/method.ts";
import type { RunDirectory } from "../../train/run/directory.ts";
import type { TaskIO } from "./cli.ts";
import { short } from "./format.ts";
import type { RunManifest } from "../../train/run/inputs.ts";
import { startRun } from "../../train/runs/start_run.ts";
import { endedAs, sizeLines } from "./training_lines.ts";
import { duration, type Progress } from "./progress.ts";

/** A training by epochs, to the extent that people are told of it. */
export interface ToldTraining {
  device: Device;
  run: RunDirectory;
  /** Whether the directory is there already. */
  resume: boolean;
  manifest: RunManifest;
  dataset: Dataset;
  /** Further files of the run. */
  texts?: Record<string, string | Uint8Array>;
  /** `config.json` of the run. */
  config: Record<string, unknown>;
  /** Name of the progress bar. */
  name: string;
}

/** Makes the run directory of a training by epochs as it starts, and tells how it goes; `stop()` ends the bar. */
export class EpochProgress {
  #training: ToldTraining;
  #io: TaskIO;
  #progress: Progress | undefined;

  constructor(training: ToldTraining, io: TaskIO) {
    this.#training = training;
    this.#io = io;
  }

  readonly onStart = async ({ parameters, sequences, targets, steps, done, sids }: BaselineFacts) => {
    const { device, run, resume, manifest, dataset, texts, config, name } = this.#training;
    const index = sids && { "index.json": formatIndex(sids) };
    if (!resume && this.#io.world.rank === 0) {
      await startRun(run, { manifest, dataset, sids, texts: { ...texts, ...index }, config });
    }
    const lines = sizeLines(device, { parameters, steps, done });
    this.#io.log(lines.model);
    this.#io.log(`Data: ${short(sequences)} sequences, ${short(targets)} targets an epoch`);
    this.#io.log(lines.steps);
    this.#progress = this.#io.progress(steps, name);
  };

  readonly onStep = (step: number) => this.#progress?.update(step);

  readonly onEpoch = ({ epoch, loss, valid, best }: BaselineEpoch) => {
    const facts = [
      ...loss === undefined ? [] : [`loss ${loss.toFixed(3)}`],
      ...valid ? [`valid HR@10 ${valid.hr10.toFixed(4)}, NDCG@10 ${valid.ndcg10.toFixed(4)}`] : [],
      ...valid && best ? ["best so far"] : [],
    ];
    if (facts.length > 0) this.#io.log(`epoch ${epoch}: ${facts.join(", ")}`);
  };

  /** Says how a run ended that was not interrupted, and what it kept. */
  ended({ stopped, steps, seconds, best }: BaselineResult): void {
    const after = steps === 0
      ? "before, nothing is left to train"
      : `after ${steps} steps, ${duration(seconds)}`;
    this.#io.log(`${endedAs(stopped)} ${after}.`);
    if (best) this.#io.log(`Kept step ${best.step}: valid NDCG@10 ${best.score.toFixed(4)}`);
  }

  /** Ends the bar. */
  stop(): void {
    this.#progress?.stop();
  }
}
