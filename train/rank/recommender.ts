import { reorderedCounts } from "../../rank/counts/purchases.ts";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import {
  type Candidate,
  type Catalogue,
  checkK,
  type ListExplanation,
  type Provenance,
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
  type ScoreUnit,
} from "../../eval/recommender.ts";
import { highest } from "../../eval/highest.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { itemTerms } from "../../rank/features/sources.ts";
import { featureEffects } from "../../rank/features/effects.ts";
import { standardise } from "../../rank/features/standardise.ts";
import { askRuns, batchOf, type ListOptions } from "../../rank/lists/ask_runs.ts";
import type { ListMaker } from "../../rank/lists/make.ts";
import { HostScores } from "../../rank/network/host_scores.ts";
import { RankSchema } from "./config.ts";
import { listMaker, type RunListLengths, runListLengths } from "./lists.ts";
import { readRankWeights, readSaved, type SavedRanker, SOURCES_FOLDER } from "./saved.ts";
import { type CheckpointFolder, checkpointOf, onlyCheckpoint } from "../runs/checkpoints.ts";
import { refuseSearchOptions } from "../runs/requests.ts";
import { runDataset } from "../runs/run_dataset.ts";
import { isModel, type RunFolder } from "../runs/run_folder.ts";
import type { OpenRunOptions, RunKind } from "../runs/run_kind.ts";

/** What opening reads of the settings of a run. */
const Settings = z.looseObject({
  data: z.string(),
  runs: z.array(z.string()),
  trainOn: z.string(),
  ...z.object(RankSchema.shape).pick({
    candidates: true,
    features: true,
    listLength: true,
    countCandidates: true,
    textCandidates: true,
  }).shape,
  // Rankers of before it was a setting learned from the scores of their candidates alone.
  scoredLength: RankSchema.shape.scoredLength.unwrap().default(0),
});

/** Runs of `genrec rank`: lists of other runs, which it keeps, in an order of its own. */
export const rankRun: RunKind = {
  name: "rank run",
  summary: "a run directory of `genrec rank`",
  matches: ({ config, manifest, home }) =>
    config.model_type === "rank"
      ? home !== undefined
      : config.model_type === undefined && manifest.task === "rank",
  async open(folder, options, openOther) {
    refuseSearchOptions(folder, options);
    const home = folder.home ?? folder;
    const settings = Settings.parse(home.config);
    const data = options.data || options.dataset?.name || settings.data;
    const { dataset, order } = await runDataset(folder, data, { dataset: options.dataset });
    const which = options.checkpoint ?? "best";
    const weights = isModel(folder)
      ? onlyCheckpoint(folder.path, which)
      : await checkpointOf(folder.path, which);
    const device = sharedDevice(options.device);
    const runs: Recommender[] = [];
    for (const [i] of settings.runs.entries()) {
      runs.push(
        await openOther(`${home.path}/${SOURCES_FOLDER}/${i + 1}`, { data, dataset, device: device.open }),
      );
    }
    const kept = await readSaved(home.path, dataset.items.length);
    const saved = order ? { ...kept, counts: reorderedCounts(kept.counts, order) } : kept;
    const asked = runListLengths(settings);
    const maker = listMaker(saved.counts, itemTerms(dataset.items), runs, settings);
    if (!isDeepStrictEqual(maker.features.columns, saved.columns)) {
      throw new UserError(
        `Cannot use ${folder.given} with ${data}: it was trained on the features ${
          namesOf(saved.columns)
        }, here are ` +
          `${
            namesOf(maker.features.columns)
          }. Use the dataset that it was trained on, --data ${settings.data}`,
      );
    }
    return new RankRecommender({ folder, data, dataset, weights, runs, maker, saved, asked, device });
  },
};

const namesOf = (columns: readonly { name: string }[]) => columns.map(({ name }) => name).join(", ");

/** One device for all runs: that of the caller, or one that is opened with the first of them. */
function sharedDevice(given: OpenRunOptions["device"]): { open(): Promise<Device>; destroy(): void } {
  let own: Promise<Device> | undefined;
  return {
    async open() {
      if (given === undefined) return await (own ??= Device.open());
      return typeof given === "function" ? await (own ??= given()) : given;
    },
    destroy() {
      if (given === undefined) own?.then(({ gpu }) => gpu.destroy());
      own = undefined;
    },
  };
}

interface RankParts {
  folder: RunFolder;
  data: string;
  dataset: Dataset;
  weights: CheckpointFolder;
  runs: Recommender[];
  maker: ListMaker;
  saved: SavedRanker;
  asked: RunListLengths;
  device: ReturnType<typeof sharedDevice>;
}

/** The candidates of some runs and of counts, scored by what is known of each: candidates are items. */
class RankRecommender implements Recommender {
  readonly catalogue: Catalogue;
  readonly dataset: Dataset;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly provenance: Provenance;
  readonly scoreUnit: ScoreUnit = "logit";
  readonly #parts: RankParts;
  #scores: Promise<HostScores> | undefined;

  constructor(parts: RankParts) {
    const { folder, data, dataset, weights } = parts;
    const { config, manifest } = folder.home ?? folder;
    this.#parts = parts;
    this.catalogue = { items: dataset.items, names: dataset.items.map((_, item) => String(item)) };
    this.dataset = dataset;
    this.settings = config;
    this.provenance = {
      kind: rankRun.name,
      // Its figures on valid are of rows that it learned from.
      model: config.trainOn === "valid" ? "rank, learned from valid" : "rank",
      run: folder.given,
      checkpoint: weights.checkpoint,
      data,
      index: "",
      manifest,
    };
  }

  async load(): Promise<void> {
    await this.#loaded();
    for (const run of this.#parts.runs) await run.load();
  }

  async batchSize(options: RecommendOptions): Promise<number> {
    return await batchOf(this.#parts.runs, this.#runOptions(options));
  }

  async recommend(requests: readonly RecommendRequest[], options: RecommendOptions): Promise<Candidate[][]> {
    const scores = await this.#loaded();
    const lists = await this.#inputs(requests, options);
    return lists.map(({ items, inputs }) => best(items, scores.of(inputs), options.k));
  }

  async explain(request: RecommendRequest, options: RecommendOptions): Promise<ListExplanation> {
    const { columns } = this.#parts.saved;
    const scores = await this.#loaded();
    const [{ items, inputs }] = await this.#inputs([request], options);
    const all = scores.of(inputs);
    const effects = featureEffects(columns, inputs, items.length, (changed) => scores.of(changed));
    const places = new Map(items.map((item, place) => [item, place]));
    return {
      features: columns.map(({ name }) => name),
      items: best(items, all, options.k).map(({ items: [item], score }) => ({
        item,
        score,
        effects: effects[places.get(item)!],
      })),
    };
  }

  /** Candidates of each request, and what the network reads of them (items, F). */
  async #inputs(requests: readonly RecommendRequest[], options: RecommendOptions) {
    checkK(options);
    const { maker, saved, runs } = this.#parts;
    const { allowed } = options;
    const among = allowed && new Set(allowed);
    const lists = await askRuns(runs, requests, this.#runOptions(options));
    return requests.map(({ history, excluded }, i) => {
      const isAllowed = (item: number) => !excluded?.has(item) && (among?.has(item) ?? true);
      const { items, raw } = maker.make({ history, lists: lists[i] }, isAllowed);
      const inputs = new Float32Array(items.length * saved.standardisation.mean.length);
      standardise(saved.columns, saved.standardisation, raw, inputs);
      return { items, inputs };
    });
  }

  embeddings(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  destroy(): void {
    for (const run of this.#parts.runs) run.destroy();
    this.#parts.device.destroy();
  }

  /** The runs are asked for lists as long as those that the ranker learned from, whatever is shown of them. */
  #runOptions({ k, beams = 0, allowed, wait }: RecommendOptions): ListOptions {
    const { asked, folder } = this.#parts;
    const { k: listLength } = asked;
    if (k > listLength) {
      throw new UserError(
        `Cannot list ${k} items with ${folder.given}: it ranks the first ${listLength} of each run. Ask for ${listLength} ` +
          `or less (--top, --beams), or train a ranker with --list-length ${k}`,
      );
    }
    return { ...asked, beams: Math.max(beams, listLength), ...allowed && { allowed }, wait };
  }

  #loaded(): Promise<HostScores> {
    const { weights, saved } = this.#parts;
    return this.#scores ??= readRankWeights(weights.folder, saved.standardisation.mean.length)
      .then(({ shape, tensors }) => new HostScores(shape, tensors));
  }
}

/** The k candidates of the highest scores; equal ones in their order. */
function best(items: readonly number[], scores: Float32Array, k: number): Candidate[] {
  return highest(scores, k)
    .map((i) => ({ name: String(items[i]), items: [items[i]], score: scores[i] }));
}
