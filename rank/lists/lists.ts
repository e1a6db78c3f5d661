import { ALONE, type World } from "../../base/parallel/world.ts";
import type { Sample } from "../../data/dataset.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { InputMoments, type Standardisation } from "../features/standardise.ts";
import { askRuns, batchOf, type ListOptions } from "./ask_runs.ts";
import { formatLists, parseLists, type SentList } from "./list_bytes.ts";
import type { ListMaker } from "./make.ts";

/** Lists with a target, to learn from or to be measured on. Lists without it say nothing of either. */
export interface TargetLists {
  /** Samples, those without the target among their candidates too. */
  readonly samples: number;
  /** (L + 1): the candidates of list l are [offsets[l], offsets[l + 1]). */
  readonly offsets: Uint32Array;
  /** (L): the candidate that is the target, counted over all lists. */
  readonly targets: Uint32Array;
  /** Features (candidates, C), row after row, part by part. */
  readonly raw: readonly Float32Array[];
  /** Mean and deviation of the inputs over the candidates of all samples. */
  readonly standardisation: Standardisation;
}

/** Samples that come after what their candidates and features are made of. */
export interface ListPart {
  /** Makes the lists of the samples. */
  readonly maker: ListMaker;
  /** Runs, as those of the maker. */
  readonly runs: readonly Recommender[];
  /** What lists are made for. */
  readonly samples: readonly Sample[];
}

/** How lists are collected. */
export interface CollectOptions {
  /** Items that each run is asked for. */
  readonly asked: Pick<ListOptions, "k" | "scored">;
  /** Ranks that share the work, with equal runs, and all end with all lists. Default: this one alone. */
  readonly world?: World;
  /** Called with the samples done; throws to stop. */
  onProgress?(done: number): void;
}

/**
 * Candidates and features for samples, whose targets are told apart from other items by being right alone. Parts, of
 * which there is at least one, have the same columns, and are asked for when those before are done.
 */
export async function collectLists(
  parts: Iterable<ListPart>,
  { asked, world = ALONE, onProgress }: CollectOptions,
): Promise<TargetLists> {
  const offsets = [0], targets: number[] = [], raw: Float32Array[] = [];
  let moments: InputMoments | undefined;
  let done = 0;
  const options = optionsOf(asked);
  for (const { maker, runs, samples } of parts) {
    const { columns } = maker.features;
    moments ??= new InputMoments(columns);
    const batch = await batchOf(runs, options);
    // Whole batches are dealt: what is found in one may depend on its shape.
    for (let start = 0; start < samples.length; start += world.size * batch) {
      const own = start + world.rank * batch;
      const some = samples.slice(own, own + batch);
      const lists = some.length > 0 ? await askRuns(runs, some, options) : [];
      const made = some.map(({ history, target }, i) => {
        const { items, raw } = maker.make({ history, lists: lists[i] });
        return { place: items.indexOf(target), raw };
      });
      for (const { place, raw: features } of await ofAll(world, made)) {
        moments.add(features);
        if (place < 0) continue;
        targets.push(offsets.at(-1)! + place);
        offsets.push(offsets.at(-1)! + features.length / columns.length);
        raw.push(features);
      }
      onProgress?.(done + Math.min(samples.length, start + world.size * batch));
    }
    done += samples.length;
  }
  return {
    samples: done,
    offsets: Uint32Array.from(offsets),
    targets: Uint32Array.from(targets),
    raw,
    standardisation: moments!.standardisation(),
  };
}

/** Lists of all ranks, in their order. One alone copies none: that would be three copies of each. */
async function ofAll(world: World, own: SentList[]): Promise<SentList[]> {
  if (world.size === 1) return own;
  return (await world.gather(formatLists(own))).flatMap(parseLists);
}

/** What runs are asked with. */
function optionsOf(asked: CollectOptions["asked"]): ListOptions {
  return { ...asked, beams: asked.k };
}

/**
 * Asks runs as {@link collectLists} does, but for two batches alone: one of the samples with the longest histories, and one
 * as small as the last.
 */
export async function askLongest(
  runs: readonly Recommender[],
  samples: readonly Sample[],
  asked: CollectOptions["asked"],
): Promise<void> {
  const options = optionsOf(asked);
  const batch = await batchOf(runs, options);
  const longestFirst = samples.toSorted((a, b) => b.history.length - a.history.length);
  for (const size of [Math.min(batch, samples.length), samples.length % batch]) {
    if (size > 0) await askRuns(runs, longestFirst.slice(0, size), options);
  }
}
