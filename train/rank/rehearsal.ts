import type { Sample } from "../../data/dataset.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { StopRehearsal } from "../../kernels/gpu/rehearsal.ts";
import { inputCount } from "../../rank/features/standardise.ts";
import { askLongest, type TargetLists } from "../../rank/lists/lists.ts";
import { RunDirectory } from "../run/directory.ts";
import type { RankConfig } from "./config.ts";
import { LEAST_STEPS, MOST_ROWS } from "./list_batches.ts";
import { freeRuns, type ListSizes, runListLengths } from "./lists.ts";
import { trainRanker } from "./training.ts";

/** Runs that are asked together, and for whom. */
export interface AskedRuns {
  /** Opens them on a device, without their weights. */
  open(device: Device): Promise<Recommender[]>;
  samples: readonly Sample[];
}

/**
 * Goes through what a ranker's training does on a device that computes nothing: runs are asked for the longest histories,
 * those of one part after the other, as `listsOf()` and `foldLists()` do; then `stop`, which throws, ends a training on
 * lists as long as any.
 */
export async function rehearseRanking(
  device: Device,
  parts: readonly AskedRuns[],
  { columns, most, counts, lists }: ListSizes,
  settings: RankConfig,
  stop: StopRehearsal,
): Promise<void> {
  for (const { open, samples } of parts) {
    const runs = await open(device);
    await askLongest(runs, samples, runListLengths(settings));
    freeRuns(device, runs);
  }
  const [chosen, ...learned] = parts.map(({ samples }) => placeholders(samples.length, most, columns));
  await trainRanker({
    device,
    lists: learned[0] ?? chosen,
    valid: learned[0] && chosen,
    columns,
    run: new RunDirectory("", { onWrite: stop }),
    resume: false,
    signal: new AbortController().signal,
    rehearsed: (saving) => stop(counts + lists + saving),
  }, settings);
}

/** Lists of `most` candidates, as many as batches of an epoch may hold: all share one array of zeros. */
function placeholders(samples: number, most: number, columns: ListSizes["columns"]): TargetLists {
  const count = Math.min(samples, LEAST_STEPS * (Math.ceil(MOST_ROWS / most) + 1));
  const zeros = new Float32Array(most * columns.length);
  const moments = new Float32Array(inputCount(columns));
  return {
    samples: count,
    offsets: Uint32Array.from({ length: count + 1 }, (_, list) => list * most),
    targets: Uint32Array.from({ length: count }, (_, list) => list * most),
    raw: new Array<Float32Array>(count).fill(zeros),
    standardisation: { mean: moments, deviation: moments },
  };
}
