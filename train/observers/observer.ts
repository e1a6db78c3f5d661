/** What an observer of a run is told when it is opened. */
export interface ObserverContext {
  /** Run directory, for observers that write files. */
  directory: string;
  /** Name of the run. */
  name: string;
  /** Its settings, resolved. */
  config: Record<string, unknown>;
  /** Project that it belongs to, for observers that have some; "": their own default. */
  project: string;
  /** Optimizer steps that stand: 0, or the step resumed from. What was logged for later steps is void. */
  firstStep: number;
  /** Lines of the log that stand, oldest first: none of a new run. */
  standing: readonly LoggedLine[];
  /** Tells the user something, in one line. */
  tell(message: string): void;
}

/** The metrics of a line of the log. */
export interface LoggedLine {
  /** Optimizer steps done. */
  step: number;
  /** By name: see {@link scalarsOf}. */
  values: Record<string, number>;
}

/** Where the metrics of a run go besides `metrics.jsonl`. */
export interface MetricsObserver {
  /** Passes on the values of a step, by name: `train/loss`, `valid/ndcg10`. */
  log(step: number, values: Record<string, number>): Promise<void> | void;
  /** Sends what is left; the observer is of no use afterwards. */
  close(): Promise<void> | void;
}

/** Where a training is that starts to report: on all of its lines before, and those to come. */
export type ReportStart = Pick<ObserverContext, "firstStep" | "standing">;

/** Opens what a training reports to. */
export type StartReports = (start: ReportStart) => Promise<MetricsObserver>;

/** Starts an observer. */
export type OpenObserver = (context: ObserverContext) => Promise<MetricsObserver> | MetricsObserver;

/**
 * Numbers of a line of `metrics.jsonl` under the names that observers get: those of an inner object under its key,
 * those of the line itself under `train`. The step is not among them.
 */
export function scalarsOf(entry: Record<string, unknown>): Record<string, number> {
  const scalars: Record<string, number> = {};
  const add = (prefix: string, values: object) => {
    for (const [key, value] of Object.entries(values)) {
      if (typeof value === "number") scalars[`${prefix}/${key}`] = value;
      else if (typeof value === "object" && value !== null) add(`${prefix}/${key}`, value);
    }
  };
  for (const [key, value] of Object.entries(entry)) {
    if (key === "step") continue;
    if (typeof value === "number") add("train", { [key]: value });
    else if (typeof value === "object" && value !== null) add(key, value);
  }
  return scalars;
}
