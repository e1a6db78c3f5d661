import type { TrainingState } from "../../models/training/state.ts";
import type { TrainingStore } from "../../models/training/loop.ts";
import { type MetricsObserver, scalarsOf, type StartReports } from "../observers/observer.ts";
import { ALONE, gatherJson, type World } from "../../base/parallel/world.ts";
import { UserError } from "../../base/user_error.ts";
import type { RunDirectory, RunFiles } from "./directory.ts";

/** What is kept of a training, and where. */
export interface RunStoreParts<S extends TrainingState> {
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** The ranks that train together. Default: this one alone. */
  ranks?: {
    world: World;
    /** A text that two models have in common if they are the same. */
    digest(): Promise<string>;
    /** Whether ranks put the files of a checkpoint together, each with a part of what they hold. */
    makeTogether?: boolean;
  };
  /** Puts the arrays of a checkpoint back; its state. */
  load(folder: string): Promise<S>;
  /** Files of a checkpoint. All ranks ask for them, the first one reads them. */
  files(state: S): RunFiles | Promise<RunFiles>;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?: StartReports;
}

/** A run directory as a training sees it. Of several ranks the first one writes it, and all read it. */
export class RunStore<S extends TrainingState> implements TrainingStore<S> {
  #parts: RunStoreParts<S>;
  #world: World;
  #observer: MetricsObserver | undefined;

  constructor(parts: RunStoreParts<S>) {
    this.#parts = parts;
    this.#world = parts.ranks?.world ?? ALONE;
  }

  /** Of the log it keeps what the run will not write again. */
  async restore(fresh: S, isBest: (state: S) => boolean): Promise<S> {
    const world = this.#world;
    const { run, resume, load } = this.#parts;
    if (!resume) return fresh;
    // The first one mends what a kill left behind, before the others read.
    if (world.rank > 0) await world.gather(new Uint8Array());
    let state = fresh;
    const isThere = await run.hasCheckpoint();
    if (isThere) state = await load(await run.checkpoint("latest"));
    if (world.rank > 0) return await this.#agreed(state);
    if (isThere) {
      if (isBest(state)) await run.markBest(state.step);
      await run.prune();
    }
    const { step, validationDue } = state;
    await run.filterLog((entry) =>
      (entry.step as number) < step || entry.step === step && !(validationDue && "valid" in entry)
    );
    await world.gather(new Uint8Array());
    return await this.#agreed(state);
  }

  async open(steps: number): Promise<void> {
    const { run, openObserver } = this.#parts;
    if (!openObserver || this.#world.rank > 0) return;
    const lines = await run.logged();
    const standing = lines.map(({ step, ...line }) => ({ step: Number(step), values: scalarsOf(line) }));
    this.#observer = await openObserver({ firstStep: steps, standing });
  }

  async log(step: number, line: Record<string, unknown>): Promise<void> {
    if (this.#world.rank > 0) return;
    await this.#parts.run.log({ step, ...line });
    await this.#observer?.log(step, scalarsOf(line));
  }

  async save(state: S, best: boolean): Promise<void> {
    const world = this.#world;
    const { run, files, ranks } = this.#parts;
    const made = await files(state);
    if (ranks && world.size > 1) await this.#checkSame(state, await ranks.digest());
    if (world.rank === 0) await run.saveCheckpoint(state.step, made, best);
    else if (ranks?.makeTogether) await passThrough(made);
    await world.gather(new Uint8Array()); // for all of them it counts once it is written
  }

  async close(): Promise<void> {
    await this.#observer?.close();
  }

  /** Throws {@link UserError} where ranks found different checkpoints. */
  async #agreed(state: S): Promise<S> {
    const world = this.#world;
    const { run } = this.#parts;
    const steps = await gatherJson(world, state.step);
    const other = steps.findIndex((step) => step !== steps[0]);
    if (other < 0) return state;
    throw new UserError(
      `Cannot resume ${run.path}: rank ${other} on ${world.places[other].host} finds a checkpoint of step ` +
        `${steps[other]} there, rank 0 one of step ${steps[0]}. Use a folder that all machines see`,
    );
  }

  /** Throws {@link UserError} where the models of the ranks are no longer the same. */
  async #checkSame({ step }: S, digest: string): Promise<void> {
    const world = this.#world;
    const found = await gatherJson(world, digest);
    const other = found.findIndex((text) => text !== found[0]);
    if (other < 0) return;
    throw new UserError(
      `Cannot save step ${step}: the weights of rank ${other} on ${
        world.places[other].host
      } are not those of rank 0, ` +
        "so their adapters compute differently, or one fails. The checkpoints before are intact. Use equal adapters " +
        "and drivers, and resume the run",
    );
  }
}

/** Goes through files as the rank does that writes them. */
async function passThrough(files: RunFiles): Promise<void> {
  if (!(Symbol.asyncIterator in files)) return;
  for await (const { bytes } of files) {
    if (typeof bytes === "string" || bytes instanceof Uint8Array) continue;
    for await (const _ of bytes.pieces);
  }
}
