import type { Device } from "../../kernels/gpu/device.ts";
import { oursOn } from "./ours.ts";
import type { Peer } from "./peers.ts";
import { Absent, openLocal, openProcess, scriptPath, type Session } from "./remote.ts";
import type { ContenderTiming, Row, RowResult } from "./report.ts";
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

/** Opens and checks every contender, then times them in turns: genrec, first peer, second peer, genrec... */
export async function timeContenders(
  row: Row,
  device: Device,
  peers: readonly Peer[],
  { variant, adapter, repeats, budget, tick }: MeasureOptions,
): Promise<RowResult> {
  const entries: { name: string; session: Session | undefined; timing: ContenderTiming }[] = [];
  const openers = [
    { name: "genrec", open: () => openOurs(device, [variant, adapter], row.workload) },
    ...peers.map((peer) => ({ name: peer.name, open: () => openPeer(peer, row.workload) })),
  ];
  for (const { name, open } of openers) {
    try {
      const session = await open();
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
      for (const entry of entries) {
        await attempt(entry, async ({ time }, timing) => {
          timing.milliseconds.push(await time(budget));
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
  const [ours, ...others] = entries.map(({ timing }) => timing);
  return {
    ...row,
    ours,
    peers: peers.map(({ name, webgpu }, i) => ({ name, webgpu, timing: others[i] })),
  };
}

type Measured = Extract<ContenderTiming, { milliseconds: number[] }>;

/** Runs `work` on what is still alive; a contender that fails is absent from then on. */
async function attempt(
  entry: { session: Session | undefined; timing: ContenderTiming },
  work: (session: Session, timing: Measured) => Promise<void>,
): Promise<void> {
  if (!entry.session || "absent" in entry.timing) return;
  try {
    await work(entry.session, entry.timing);
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    entry.timing = { absent: error.message };
  }
}

function openOurs(device: Device, choice: string[], workload: BenchWorkload): Promise<Session> {
  const path = scriptPath("./ours_main.ts");
  return path ? openProcess(path, choice, workload, false) : openLocal(oursOn(device), workload);
}

function openPeer({ script, argument }: Peer, workload: BenchWorkload): Promise<Session> {
  const path = scriptPath(`../peers/${script}`);
  if (!path) return Promise.reject(new Absent("not installed: peers run from a source checkout only"));
  return openProcess(path, argument ? [argument] : [], workload, true);
}
