import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { isFile, writeAtomic } from "../../base/files/write_atomic.ts";
import type { LoggedLine, ObserverContext } from "./observer.ts";

/** File of a run directory that keeps which run of Weights & Biases it is. */
export const WANDB_FILE = "wandb.json";

const Kept = z.looseObject({
  id: z.string().regex(/^[\w-]+$/),
  project: z.string(),
  entity: z.string().optional(),
  startedAt: z.number(),
});

/** A run as Weights & Biases knows it. */
export interface WandbRun {
  /** Its id, the same over all resumptions. */
  id: string;
  project: string;
  /** User or team; absent: the key's own. */
  entity?: string;
  /** What people call it. */
  name: string;
  config: Record<string, unknown>;
  /** Seconds since 1970. */
  startedAt: number;
}

/** A line of its history. */
export interface WandbLine {
  step: number;
  /** Its values, and what the service counts by: `_step`, `_runtime` and `_timestamp` in seconds. */
  values: Record<string, unknown>;
}

/** The run that a directory is, as its {@link WANDB_FILE} says; a new one is written there first. */
export async function wandbRun(
  { directory, name, config, project }: ObserverContext,
  now: () => number,
): Promise<WandbRun> {
  const path = `${directory}/${WANDB_FILE}`;
  if (!await isFile(path)) {
    const entity = Deno.env.get("WANDB_ENTITY");
    const kept: z.output<typeof Kept> = {
      id: Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => DIGITS[byte % DIGITS.length]).join(
        "",
      ),
      project: project || Deno.env.get("WANDB_PROJECT") || "genrec",
      ...entity && { entity },
      startedAt: now() / 1000,
    };
    await Deno.mkdir(directory, { recursive: true });
    await writeAtomic(path, JSON.stringify(kept, null, 2) + "\n");
  }
  return { ...await readJson(path, Kept), name, config };
}

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

/**
 * Lines of the log as those of the history, which has one a step: what a step logs in turns is put together, so that a
 * line is given when the next step's comes.
 */
export class WandbHistory {
  #startedAt: number;
  #seconds = 0;
  #last: WandbLine | undefined;

  constructor({ startedAt }: WandbRun) {
    this.#startedAt = startedAt;
  }

  /** Seconds that the run has taken. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Takes a line, logged `at` in seconds since 1970, or when its own time says; gives those that are whole by now. */
  add({ step, values }: LoggedLine, at?: number): WandbLine[] {
    this.#seconds = values["train/seconds"] ?? this.#seconds;
    const done = this.#last?.step === step ? [] : this.end();
    this.#last = {
      step,
      values: {
        ...this.#last?.values,
        ...Object.fromEntries(
          // What JSON has no numbers for, the service knows as texts.
          Object.entries(values).map(([key, value]) => [key, Number.isFinite(value) ? value : String(value)]),
        ),
        _step: step,
        _runtime: this.#seconds,
        _timestamp: at ?? this.#startedAt + this.#seconds,
      },
    };
    return done;
  }

  /** The line that waited for more of its step, if any. */
  end(): WandbLine[] {
    const last = this.#last;
    this.#last = undefined;
    return last ? [last] : [];
  }
}
