import type { TrainingState } from "../../models/training/state.ts";
import type { TrainingStore } from "../../models/training/loop.ts";
import { type MetricsObserver, scalarsOf, type StartReports } from "../observers/observer.ts";
import type { RunDirectory, RunFiles } from "./directory.ts";

/** What is kept of a training, and where. */
export interface RunStoreParts<S extends TrainingState> {
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** Puts the arrays of a checkpoint back; its state. */
  load(folder: string): Promise<S>;
  /** Files of a checkpoint. */
  files(state: S): RunFiles | Promise<RunFiles>;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?: StartReports;
}

/** A run directory as a training sees it. */
export class RunStore<S extends TrainingState> implements TrainingStore<S> {
  #parts: RunStoreParts<S>;
  #observer: MetricsObserver | undefined;

  constructor(parts: RunStoreParts<S>) {
    this.#parts = parts;
  }

  /** Of the log it keeps what the run will not write again. */
  async restore(fresh: S, isBest: (state: S) => boolean): Promise<S> {
    const { run, resume, load } = this.#parts;
    if (!resume) return fresh;
    let state = fresh;
    if (await run.hasCheckpoint()) {
      state = await load(await run.checkpoint("latest"));
      if (isBest(state)) await run.markBest(state.step);
    }
    const { step, validationDue } = state;
    await run.filterLog((entry) =>
      (entry.step as number) < step || entry.step === step && !(validationDue && "valid" in entry)
    );
    return state;
  }

  async open(steps: number): Promise<void> {
    const { run, openObserver } = this.#parts;
    if (!openObserver) return;
    const lines = await run.logged();
    const standing = lines.map(({ step, ...line }) => ({ step: Number(step), values: scalarsOf(line) }));
    this.#observer = await openObserver({ firstStep: steps, standing });
  }

  async log(step: number, line: Record<string, unknown>): Promise<void> {
    await this.#parts.run.log({ step, ...line });
    await this.#observer?.log(step, scalarsOf(line));
  }

  async save(state: S, best: boolean): Promise<void> {
    await this.#parts.run.saveCheckpoint(state.step, await this.#parts.files(state), best);
  }

  async close(): Promise<void> {
    await this.#observer?.close();
  }
}
