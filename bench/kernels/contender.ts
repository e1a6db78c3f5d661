import { type Cost, processorMilliseconds } from "../speed/cost.ts";
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
  /** Milliseconds that the processor has worked so far. */
  worked?: () => number;
}

const MOST_REPEATS = 64;
const LONG = 1000;

/**
 * Cost of one run: (T(n + 1) - T(1)) / n, which takes out the fixed cost of a wait (about 11 ms in Deno) and of a queue
 * that collects commands. Above a second that cost is lost in the noise and T(1) itself is returned.
 */
export async function costPerRun(
  run: (times: number) => Promise<void>,
  { budget, now = () => performance.now(), worked = processorMilliseconds }: SlopeOptions,
): Promise<Cost> {
  const time = async (times: number): Promise<Cost> => {
    const start = now(), before = worked();
    await run(times);
    return { milliseconds: now() - start, processorMilliseconds: worked() - before };
  };
  const once = [await time(1)];
  if (once[0].milliseconds > LONG) return once[0];
  once.push(await time(1), await time(1));
  const base = once.sort((a, b) => a.milliseconds - b.milliseconds)[1];
  const guess = Math.max(((await time(4)).milliseconds - base.milliseconds) / 3, budget / MOST_REPEATS);
  const repeats = Math.max(2, Math.min(MOST_REPEATS, Math.ceil(budget / guess)));
  const all = await time(repeats + 1);
  return {
    milliseconds: (all.milliseconds - base.milliseconds) / repeats,
    processorMilliseconds: (all.processorMilliseconds - base.processorMilliseconds) / repeats,
  };
}
