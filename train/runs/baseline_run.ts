import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import { LoadedWeights } from "../../eval/loaded_weights.ts";
import {
  type Candidate,
  type Catalogue,
  checkK,
  type Provenance,
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
  type ScoreUnit,
} from "../../eval/recommender.ts";
import { BASELINES, scoresItems } from "../baselines/by_name.ts";
import type { ItemScoringMethod, TrainedBaseline } from "../baselines/method.ts";
import { type CheckpointFolder, checkpointOf, onlyCheckpoint } from "./checkpoints.ts";
import { reorderedBaseline } from "./catalogue/item_order.ts";
import { refuseSearchOptions } from "./requests.ts";
import { type RunDataset, runDataset } from "./run_dataset.ts";
import { isModel, type RunFolder } from "./run_folder.ts";
import type { OpenRunOptions, RunKind } from "./run_kind.ts";

/** Requests that are ranked together. */
const USERS_A_BATCH = 256;
/**
 * Items that are listed together. V8 takes what outlives two collections of young objects, one every 32 MiB, for lasting: of
 * 256 lists of 500 items all, 20 MiB, and its heap grew by 90 MiB in nine such batches; of 64 none.
 */
const ITEMS_A_BATCH = 32_000;

/** Runs of `genrec baseline` whose model scores every item, and their checkpoint folders. */
export const baselineRun: RunKind = {
  name: "baseline run",
  summary: `a run directory of \`genrec baseline\` with ${
    BASELINES.filter(scoresItems).map(({ name }) => name).join(", ")
  }`,
  matches: (folder) => methodOf(folder) !== undefined,
  async open(folder, options) {
    refuseSearchOptions(folder, options);
    const method = methodOf(folder)!;
    const home = isModel(folder) ? folder.home : folder;
    const data = options.data || options.dataset?.name || String(home?.config.data ?? "");
    if (data === "") {
      throw new UserError(
        `Cannot use ${folder.given} without a dataset: no run tells which one. Name it with --data`,
      );
    }
    const which = options.checkpoint ?? "best";
    return new BaselineRecommender({
      folder,
      method,
      data,
      ...await runDataset(folder, data, options),
      weights: isModel(folder) ? onlyCheckpoint(folder.path, which) : await checkpointOf(folder.path, which),
      device: options.device,
    });
  },
};

/** The method that scores items by such a folder. */
function methodOf({ config }: RunFolder): ItemScoringMethod | undefined {
  const name = config.model_type ?? config.model;
  return BASELINES.filter(scoresItems).find((method) => method.name === name);
}

interface BaselineParts extends RunDataset {
  folder: RunFolder;
  method: ItemScoringMethod;
  data: string;
  weights: CheckpointFolder;
  device: OpenRunOptions["device"];
}

/** A model that scores every item: candidates are items. */
class BaselineRecommender implements Recommender {
  readonly catalogue: Catalogue;
  readonly dataset: Dataset;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly provenance: Provenance;
  readonly scoreUnit: ScoreUnit;
  readonly #weights: LoadedWeights<TrainedBaseline>;

  constructor({ folder, method, data, dataset, order, weights, device }: BaselineParts) {
    const { items } = dataset;
    const { config, manifest } = folder.home ?? folder;
    this.catalogue = { items, names: items.map((_, item) => String(item)) };
    this.dataset = dataset;
    this.settings = config.model_type === undefined ? config : {};
    this.provenance = {
      kind: baselineRun.name,
      model: method.name,
      run: folder.given,
      checkpoint: weights.checkpoint,
      data,
      index: "",
      ...(manifest.task !== undefined && { manifest }),
    };
    this.scoreUnit = method.scoreUnit;
    this.#weights = new LoadedWeights(device, async (device) => {
      const trained = await method.load(device, weights.folder);
      if (trained.items === items.length) return order ? reorderedBaseline(trained, order) : trained;
      trained.destroy();
      throw new UserError(
        `Cannot use ${folder.given} with ${data}: it was trained on ${trained.items} items, the dataset has ` +
          `${items.length}, expected as many. Use the dataset that it was trained on`,
      );
    });
  }

  async load(): Promise<void> {
    await this.#weights.get();
  }

  async batchSize({ k }: RecommendOptions): Promise<number> {
    await this.load();
    return Math.max(1, Math.min(USERS_A_BATCH, Math.floor(ITEMS_A_BATCH / k)));
  }

  async recommend(
    requests: readonly RecommendRequest[],
    options: RecommendOptions,
  ): Promise<Candidate[][]> {
    checkK(options);
    const { k, allowed, wait = {} } = options;
    const among = allowed && new Set(allowed);
    const excluded = requests.reduce((most, { excluded }) => Math.max(most, excluded?.size ?? 0), 0);
    const count = this.catalogue.items.length;
    const most = Math.min(count, among ? count : k + excluded);
    const histories = requests.map(({ history }) => history);
    const lists = await this.#weights.use((trained, release) => {
      const onComputed = () => (release(), wait.onComputed?.());
      return trained.rank(histories, most, { begin: wait.begin, onComputed });
    });
    return lists.map(({ items, scores }, i) => {
      const candidates: Candidate[] = [];
      for (const [place, item] of items.entries()) {
        if (candidates.length === k) break;
        if (requests[i].excluded?.has(item) || among && !among.has(item)) continue;
        candidates.push({ name: String(item), items: [item], score: scores[place] });
      }
      return candidates;
    });
  }

  async *scoreItems(histories: readonly (readonly number[])[]): AsyncGenerator<Float32Array> {
    yield* (await this.#weights.get()).scoreAll(histories);
  }

  async embeddings(): Promise<{ dim: number; data: Float32Array } | undefined> {
    return await (await this.#weights.get()).embeddings?.();
  }

  destroy(): void {
    this.#weights.destroy();
  }
}
