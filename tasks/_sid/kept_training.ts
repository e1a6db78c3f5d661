import { join } from "node:path";
import { diskFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import type { OpenFitStore } from "../../sid/method.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import type { ReportSettings } from "../../train/run/fields.ts";
import type { RunManifest } from "../../train/run/inputs.ts";
import { RunStore } from "../../train/run/store.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { checkSame } from "../_cli/resume.ts";
import { observersOf } from "../_train/observers.ts";

// A checkpoint holds the weights six times, and evaluations may follow in fractions of a second.
const SAVE_EVERY = 20_000;

/** What a training of codebooks is made from. */
export interface TrainingRecord {
  /** What must be the same when it goes on, with its defaults. */
  settings: Record<string, unknown>;
  defaults: Record<string, unknown>;
  /** `config.json` of its folder: flags that make it again. */
  config: Record<string, unknown>;
  manifest: RunManifest;
  reports: ReportSettings;
  /** What people call it. */
  name: string;
}

/** Folder of a training of codebooks: its log for good, and until it has ended what it goes on from. */
export class KeptTraining {
  readonly #run: RunDirectory;
  readonly #record: TrainingRecord;
  readonly #resume: boolean;
  readonly #every: number;

  private constructor(run: RunDirectory, record: TrainingRecord, resume: boolean, every: number) {
    this.#run = run;
    this.#record = record;
    this.#resume = resume;
    this.#every = every;
  }

  /**
   * Makes the folder, or with `resume` finds what is in it to be of the same training. A checkpoint is saved every so many
   * milliseconds.
   * @throws {UserError} where there is nothing to resume, or without `resume` something that was not ended.
   */
  static async open(
    path: string,
    record: TrainingRecord,
    resume: boolean,
    every = SAVE_EVERY,
  ): Promise<KeptTraining> {
    const run = new RunDirectory(path, { saveTotalLimit: 1 });
    const isThere = await run.hasCheckpoint();
    if (isThere && !resume) {
      throw new UserError(
        `Cannot start in ${path}: it holds a training that was stopped. Go on with --resume, or delete the folder`,
      );
    }
    if (!isThere && resume) {
      throw new UserError(
        `Cannot resume ${path}: it holds no checkpoint of a training that was stopped. Start one without --resume`,
      );
    }
    const { settings, defaults, manifest, config } = record;
    const files = Object.keys(manifest.inputs);
    if (resume) await checkSame(run, settings, {}, files, manifest, defaults);
    else {
      for (const name of LOGS) await remove(join(path, name)); // of a training before, which has ended
      await run.create(false);
      await run.write("manifest.json", JSON.stringify(manifest, null, 2) + "\n");
      // It serves as --config when it goes on.
      await run.write("config.json", JSON.stringify(config, null, 2) + "\n");
    }
    return new KeptTraining(run, record, resume, every);
  }

  /** Whether there is something to go on from. */
  isSaved(): Promise<boolean> {
    return this.#run.hasCheckpoint();
  }

  /** Opens its store for a fit. */
  openStore(io: TaskIO): OpenFitStore {
    const run = this.#run;
    const { reports, config, name } = this.#record;
    return ({ files, load }) => {
      const store = new RunStore({
        run,
        resume: this.#resume,
        load: (folder) => load(folder, diskFiles.readFile),
        files,
        openObserver: observersOf(run.path, { ...config, ...reports }, io, name),
      });
      let savedAt = performance.now();
      return {
        // The best weights by each criterion are in every checkpoint.
        restore: (fresh) => store.restore(fresh, () => false),
        open: (steps) => store.open(steps),
        log: (steps, line) => store.log(steps, line),
        save: async (state) => {
          if (performance.now() - savedAt < this.#every) return;
          await store.save(state, false);
          savedAt = performance.now();
        },
        close: () => store.close(),
      };
    };
  }

  /** Drops what it would go on from, once what it was for is written. */
  async end(): Promise<void> {
    for (const name of ["latest", "checkpoints", "config.json"]) await remove(join(this.#run.path, name));
  }
}

/** What a training leaves that has ended. */
const LOGS = ["metrics.jsonl", "config.json", "wandb.json", "wandb", "tensorboard", "checkpoints"];

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
