import { gatherJson, type World } from "./world.ts";

/** Milliseconds after which a first rank that works tells the others that it still does. */
const BEAT = 500;

/** What the first rank says, in all ranks: where each of them could find something else, such as on a disk. */
export async function ofFirst<T>(world: World, value: T): Promise<T> {
  const [first] = await gatherJson(world, value);
  return first;
}

/**
 * Does work that is for one rank in the first one, while the others wait, however long it takes. Its signal is aborted
 * where `signal` of any rank is; false, in all ranks, where that stopped it. Throws in the first rank what `work` throws.
 */
export async function byFirst(
  world: World,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  const stop = new AbortController();
  const running = world.rank === 0 ? outcomeOf(work, AbortSignal.any([signal, stop.signal])) : undefined;
  while (true) {
    const state = running ? await orBeat(running) : "running";
    const isTold = signal.aborted;
    const ranks = await gatherJson(world, { state, isTold });
    if (ranks[0].state !== "running") return ranks[0].state === "done";
    if (ranks.some(({ isTold }) => isTold)) stop.abort();
  }
}

type State = "running" | "done" | "stopped";

async function outcomeOf(
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<State> {
  try {
    await work(signal);
    return "done";
  } catch (error) {
    if (signal.aborted) return "stopped";
    throw error;
  }
}

async function orBeat(running: Promise<State>): Promise<State> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const beat = new Promise<State>((resume) => timer = setTimeout(() => resume("running"), BEAT));
  try {
    return await Promise.race([running, beat]);
  } finally {
    clearTimeout(timer);
  }
}
