import { UserError } from "../../base/user_error.ts";
import type { EvaluationPage, LogTail } from "../../web/studio/messages.ts";
import { evaluationPage } from "./evaluations.ts";
import type { ExploredRun } from "./explored_run.ts";
import { logTail } from "./log_tail.ts";
import { openShownRuns, type ShownRun } from "./shown_run.ts";

/** Opens a run as a recommender for as long as `use` takes, one after the other. */
export type UseRun = <T>(run: ShownRun, use: (run: ExploredRun) => Promise<T>) => Promise<T>;

/** Runs side by side, and what is asked about them. */
export class Studio {
  readonly runs: readonly ShownRun[];
  readonly #evals: readonly string[];
  readonly #use: UseRun;

  private constructor(runs: readonly ShownRun[], evals: readonly string[], use: UseRun) {
    this.runs = runs;
    this.#evals = evals;
    this.#use = use;
  }

  /** `paths` are runs and folders of runs, `evals` evaluations that lie elsewhere. Throws `UserError` where one is none. */
  static async open(paths: readonly string[], evals: readonly string[], use: UseRun): Promise<Studio> {
    return new Studio(await openShownRuns(paths), evals, use);
  }

  /** The run of a number. Throws `UserError` where there is none. */
  run(id: number): ShownRun {
    const run = this.runs[id];
    if (run) return run;
    throw new UserError(`Cannot find run ${id}: there are ${this.runs.length}, from 0. Load the page again`);
  }

  /** What the log of a run got after byte `after` of its version. */
  async log(id: number, version: string, after: number): Promise<LogTail> {
    return await logTail(this.run(id).log, version, after);
  }

  /** Tables of all evaluations, against a baseline; "": the first. */
  async evaluations(baseline: string): Promise<EvaluationPage> {
    return await evaluationPage(this.runs, this.#evals, baseline);
  }

  /** What `use` finds in the items of a run. Throws `UserError` for what recommends nothing. */
  async explore<T>(id: number, use: (run: ExploredRun) => Promise<T>): Promise<T> {
    return await this.#use(this.run(id), use);
  }
}
