import process from "node:process";

/** What some work took. */
export interface Cost {
  /** By the clock. */
  milliseconds: number;
  /** Of all threads of the process, those of a CPU adapter included: what other work on the machine changes least. */
  processorMilliseconds: number;
}

/** What a script of `peers/` adds to its answers. */
export interface PeerCost extends Cost {
  /** Threads of torch. */
  threads: number;
  /** Peak of the process. */
  residentBytes: number;
}

/** What all threads of this process have worked so far. */
export function processorMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Does `work` in this process. */
export async function costOf<T>(work: () => Promise<T>): Promise<{ result: T; cost: Cost }> {
  const before = processorMilliseconds();
  const start = performance.now();
  const result = await work();
  const milliseconds = performance.now() - start;
  return { result, cost: { milliseconds, processorMilliseconds: processorMilliseconds() - before } };
}
