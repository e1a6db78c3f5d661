import type { BenchWorkload, Outputs } from "./workload.ts";

/** One workload, ready to run. */
export interface Runner {
  /** Runs `times` times and waits until all of it is done. */
  run(times: number): Promise<void>;
  /** One run read back, or the first losses of a training step; called once, before any `run`. */
  outputs(): Promise<Outputs>;
  /** Bytes held on the adapter at most, where the contender knows. */
  deviceBytes?(): number;
  /** Resident bytes at most, where the work is done in a process of its own. */
  residentBytes?(): number;
  /** Frees what it holds on the device; a process of its own just ends. */
  close?(): void;
}

/** A library that takes part. */
export interface Contender {
  readonly name: string;
  /** Throws {@link NotSupported} where the library cannot do it. */
  open(workload: BenchWorkload): Promise<Runner>;
}

/** The row says why a contender has no figure. */
export class NotSupported extends Error {
  override name = "NotSupported";
}

export interface SlopeOptions {
  /** Milliseconds that the repeated runs should take together. */
  budget: number;
  now?: () => number;
}

const MOST_REPEATS = 64;
const LONG = 1000;

/**
 * Milliseconds of one run: (T(n + 1) - T(1)) / n, which takes out the fixed cost of a wait (about 11 ms in Deno) and of
 * a queue that collects commands. Above a second that cost is lost in the noise and T(1) itself is returned.
 */
export async function millisecondsPerRun(
  run: (times: number) => Promise<void>,
  { budget, now = () => performance.now() }: SlopeOptions,
): Promise<number> {
  const time = async (times: number) => {
    const start = now();
    await run(times);
    return now() - start;
  };
  const once = [await time(1)];
  if (once[0] > LONG) return once[0];
  once.push(await time(1), await time(1));
  const base = once.sort((a, b) => a - b)[1];
  const guess = Math.max((await time(4) - base) / 3, budget / MOST_REPEATS);
  const repeats = Math.max(2, Math.min(MOST_REPEATS, Math.ceil(budget / guess)));
  return (await time(repeats + 1) - base) / repeats;
}
