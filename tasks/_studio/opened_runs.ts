import type { Device } from "../../kernels/gpu/device.ts";
import { openRun } from "../../train/runs/open_run.ts";
import { ExploredRun } from "./explored_run.ts";
import type { UseRun } from "./show.ts";

/** Weights that are held at once. */
const HELD = 4;

/** Runs that are opened when they are asked for; those that were not for longest are given up. */
export function openedRuns(data: string, device: () => Promise<Device>): { use: UseRun; destroy(): void } {
  const opened = new Map<string, ExploredRun>();
  let turn: Promise<unknown> = Promise.resolve();
  const openOne = async (path: string): Promise<ExploredRun> => {
    const known = opened.get(path);
    const run = known ?? new ExploredRun(await openRun(path, { data, device }), device);
    opened.delete(path);
    opened.set(path, run);
    if (opened.size > HELD) {
      const [[oldest, { recommender }]] = opened;
      recommender.destroy();
      opened.delete(oldest);
    }
    return run;
  };
  return {
    use(run, use) {
      // All share a device, and one of them may be given up for another.
      const found = turn.then(async () => use(await openOne(run.opened)));
      turn = found.catch(() => {});
      return found;
    },
    destroy() {
      for (const { recommender } of opened.values()) recommender.destroy();
      opened.clear();
    },
  };
}
