import type { LogLine, LogTail } from "./messages.ts";

/** Values of one metric by training steps. */
export interface Curve {
  steps: number[];
  values: number[];
}

/** How far a training is. */
export interface TrainingProgress {
  step: number;
  epoch: number | undefined;
  /** Of the whole training, 0 to 1; undefined where its settings do not tell. */
  share: number | undefined;
  /** Seconds it took so far. */
  seconds: number | undefined;
  /** Seconds that are left, if it goes on as before; undefined where that is not known. */
  left: number | undefined;
}

/** What is no metric by itself. */
const PLACES = new Set(["step", "epoch", "seconds", "tokens"]);

/** The log of a run as far as it was read. */
export class RunLog {
  version = "";
  end = 0;
  age: number | null = null;
  lines: LogLine[] = [];

  /** Takes what was read. Whether anything is new. */
  add({ version, end, lines, age }: LogTail): boolean {
    const isAnew = version !== this.version;
    if (isAnew) this.lines = [];
    this.lines.push(...lines);
    this.version = version;
    this.end = end;
    this.age = age;
    return isAnew || lines.length > 0;
  }

  /** Curves by metric: `loss`, `valid.ndcg10`, `rewards.rule.mean`; speeds are made of the seconds between lines. */
  curves(): Map<string, Curve> {
    const curves = new Map<string, Curve>();
    const put = (name: string, step: number, value: number) => {
      if (!Number.isFinite(value)) return;
      const curve = curves.get(name) ?? { steps: [], values: [] };
      curves.set(name, curve);
      // A step that was logged twice has its last value.
      if (curve.steps.at(-1) === step) curve.values[curve.values.length - 1] = value;
      else {
        curve.steps.push(step);
        curve.values.push(value);
      }
    };
    let before = { step: 0, seconds: 0 };
    for (const line of this.lines) {
      const step = Number(line.step ?? NaN);
      if (!Number.isFinite(step)) continue;
      for (const [name, value] of scalars(line)) if (!PLACES.has(name)) put(name, step, value);
      if (typeof line.seconds !== "number") continue;
      const seconds = line.seconds - before.seconds;
      if (seconds > 0 && step > before.step) {
        put("stepsPerSecond", step, (step - before.step) / seconds);
        if (typeof line.tokens === "number") put("tokensPerSecond", step, line.tokens / seconds);
      }
      before = { step, seconds: line.seconds };
    }
    return curves;
  }

  /** How far it is, by the settings of its run. */
  progress(settings: Readonly<Record<string, unknown>>): TrainingProgress {
    const line = this.lines.findLast(({ seconds }) => typeof seconds === "number");
    const step = Number(this.lines.at(-1)?.step ?? 0);
    const epoch = typeof line?.epoch === "number" ? line.epoch : undefined;
    const seconds = line?.seconds as number | undefined;
    const shares = [[step, settings.maxSteps], [epoch, settings.numTrainEpochs], [epoch, settings.epochs]]
      .flatMap(([done, all]) =>
        typeof done === "number" && typeof all === "number" && all > 0 ? [done / all] : []
      );
    const share = shares.length === 0 ? undefined : Math.min(1, Math.max(...shares));
    const left = share && seconds !== undefined ? seconds * (1 - share) / share : undefined;
    return { step, epoch, share, seconds, left };
  }

  /** Whether it is likely that somebody still writes: the log is not older than four times what a line takes. */
  get isLive(): boolean {
    if (this.age === null) return false;
    const timed = this.lines.flatMap(({ seconds }) => typeof seconds === "number" ? [seconds] : []);
    const gaps = timed.map((seconds, i) => seconds - (timed[i - 1] ?? 0));
    return this.age < 30 + 4 * Math.max(0, ...gaps);
  }
}

/** Numbers of a line by name; those inside others as `valid.ndcg10`. */
function scalars(line: Readonly<Record<string, unknown>>, before = ""): [name: string, value: number][] {
  return Object.entries(line).flatMap(([key, value]): [string, number][] => {
    if (typeof value === "number") return [[before + key, value]];
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
    return scalars(value as Record<string, unknown>, `${before}${key}.`);
  });
}
