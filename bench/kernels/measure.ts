import type { Device } from "../../kernels/gpu/device.ts";
import { oursOn } from "./ours.ts";
import type { Peer } from "./peers.ts";
import { Absent, openLocal, openProcess, scriptPath, type Session } from "./remote.ts";
import type { ContenderTiming, Row, RowResult, Times } from "./report.ts";
import type { BenchWorkload } from "./workload.ts";

export interface MeasureOptions {
  /** genrec's kernels, as in `--variant`. */
  variant: string;
  /** The adapter, as in `--adapter`. */
  adapter: string;
  repeats: number;
  /** Milliseconds of work a timing. */
  budget: number;
  /** Called after each of the (1 + repeats) parts of every contender's work. */
  tick: () => void;
}

/** Someone who takes part in a row. */
export interface Opener {
  name: string;
  /** Throws {@link Absent} where it cannot. */
  open(workload: BenchWorkload): Promise<Session>;
}

/** genrec and its peers on one row. */
export async function timeContenders(
  row: Row,
  device: Device,
  peers: readonly Peer[],
  options: MeasureOptions,
): Promise<RowResult> {
  const openers = [
    openerOfOurs(device, options),
    ...peers.map((peer) => ({
      name: peer.name,
      open: (workload: BenchWorkload) => openPeer(peer, workload),
    })),
  ];
  const [ours, ...others] = await timeInTurns(row.workload, openers, options);
  return {
    ...row,
    ours,
    peers: peers.map(({ name, webgpu }, i) => ({ name, webgpu, timing: others[i] })),
  };
}

/**
 * Opens and checks everyone, then times them in turns: first, second, third, and the next turn the other way round, so
 * that a machine that grows slower is unfair to none. In the order of `openers`.
 */
export async function timeInTurns(
  workload: BenchWorkload,
  openers: readonly Opener[],
  { repeats, budget, tick }: Pick<MeasureOptions, "repeats" | "budget" | "tick">,
): Promise<ContenderTiming[]> {
  const entries: { name: string; session: Session | undefined; timing: ContenderTiming }[] = [];
  for (const { name, open } of openers) {
    try {
      const session = await open(workload);
      entries.push({
        name,
        session,
        timing: { milliseconds: [], error: session.error, residentBytes: 0 },
      });
    } catch (error) {
      if (!(error instanceof Absent)) throw error;
      entries.push({ name, session: undefined, timing: { absent: error.message } });
    }
    tick();
  }
  try {
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const entry of repeat % 2 === 0 ? entries : entries.toReversed()) {
        await attempt(entry, async ({ time }, timing) => {
          const { milliseconds, processorMilliseconds } = await time(budget);
          timing.milliseconds.push(milliseconds);
          if (processorMilliseconds !== undefined) {
            (timing.processorMilliseconds ??= []).push(processorMilliseconds);
          }
        });
        tick();
      }
    }
    for (const entry of entries) {
      await attempt(entry, async ({ memory }, timing) => void Object.assign(timing, await memory()));
    }
  } finally {
    for (const { session } of entries) await session?.close();
  }
  return entries.map(({ timing }) => timing);
}

/** Runs `work` on what is still alive; a contender that fails is absent from then on. */
async function attempt(
  entry: { session: Session | undefined; timing: ContenderTiming },
  work: (session: Session, timing: Times) => Promise<void>,
): Promise<void> {
  if (!entry.session || "absent" in entry.timing) return;
  try {
    await work(entry.session, entry.timing);
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    entry.timing = { absent: error.message };
  }
}

/** genrec itself, in a process of its own where there are sources. */
export function openerOfOurs(
  device: Device,
  { variant, adapter }: Pick<MeasureOptions, "variant" | "adapter">,
): Opener {
  const path = scriptPath("./ours_main.ts");
  return {
    name: "genrec",
    open: (workload) =>
      path ? openProcess(path, [variant, adapter], workload, false) : openLocal(oursOn(device), workload),
  };
}

function openPeer({ script, argument }: Peer, workload: BenchWorkload): Promise<Session> {
  const path = scriptPath(`../peers/${script}`);
  if (!path) return Promise.reject(new Absent("not installed: peers run from a source checkout only"));
  return openProcess(path, argument ? [argument] : [], workload, true);
}
