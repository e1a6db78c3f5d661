import { basename } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { evenCutOf } from "../../decode/trie_decoding.ts";
import { ItemSearch } from "../../eval/item_search.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { openRun } from "../../train/runs/open_run.ts";
import type { OpenRunOptions } from "../../train/runs/run_kind.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { heapGrowth } from "../_cli/memory.ts";
import { checkAsked, checkReasons } from "../_cli/run_flags.ts";
import { type Dialogue, type Recommended, recommendItems } from "../_recommend/answer.ts";
import { fittedBatch } from "../_recommend/fitted_batch.ts";
import { ItemLookup, itemsIn } from "../_recommend/item_lookup.ts";
import { toldFault } from "../_recommend/told.ts";
import type { BatchGroup } from "./batcher.ts";
import { NeighbourIndex } from "./neighbours.ts";
import { usualTop } from "./schemas.ts";

/** Share of the memory of the largest batch that may be left for batches of other sizes: all of them take four times as much. */
const KEPT = 4;
/** Choices of items that are kept, those that were asked for last. */
const KEPT_GROUPS = 32;

/** What is wanted for everybody of a request. */
export interface Wanted {
  /** Items a user. */
  top: number;
  /** Items are of any of these; empty: of all. */
  categories: readonly string[];
  /** Item numbers to choose from; undefined: all. */
  allow?: readonly number[];
}

/** Those who get the same choice of items. */
export interface Audience extends BatchGroup<Dialogue, Recommended> {
  /** Item numbers, in order; undefined: all. */
  readonly allowed: ReadonlySet<number> | undefined;
}

/** How a run is opened to be served. */
export interface ServedRunFlags extends Omit<OpenRunOptions, "device"> {
  run: string;
  task: string;
  beams: number;
  maxBatch: number;
  maxItems: number;
  maxTop: number;
}

/** A run and its catalogue, opened to answer until another takes its place. */
export class OpenedRun {
  /** Name of its folder. */
  readonly name: string;
  readonly recommender: Recommender;
  readonly lookup: ItemLookup;
  readonly search: ItemSearch;
  /** Requests that are answered by it. */
  uses = 0;
  readonly #flags: ServedRunFlags;
  readonly #device: () => Promise<Device>;
  /** Users that are answered together at most. */
  #mostUsers: number;
  readonly #groups = new Map<string, Audience>();
  #neighbours: NeighbourIndex | undefined;

  private constructor(flags: ServedRunFlags, recommender: Recommender, device: () => Promise<Device>) {
    this.#flags = flags;
    this.#device = device;
    this.#mostUsers = flags.maxBatch;
    this.recommender = recommender;
    const { dataset } = recommender;
    this.name = basename(recommender.provenance.run);
    this.lookup = new ItemLookup(dataset, dataset.name);
    this.search = new ItemSearch(dataset.items);
  }

  /** Reads all but the weights. Throws `UserError` for what cannot be served. */
  static async open(flags: ServedRunFlags, device: () => Promise<Device>): Promise<OpenedRun> {
    const recommender = await openRun(flags.run, { ...flags, device });
    try {
      checkAsked(recommender, flags.task);
      checkReasons(recommender, flags);
      return new OpenedRun(flags, recommender, device);
    } catch (error) {
      recommender.destroy();
      throw error;
    }
  }

  /**
   * Says what answers take, loads the weights and answers once, so that nobody waits for kernels. Uses the device. Throws
   * for what is damaged, and `UserError` where there is no memory to answer anybody.
   */
  async load(io: Pick<TaskIO, "log">): Promise<void> {
    const { recommender } = this;
    const [sample] = recommender.dataset.samples.test;
    const row = { history: [...sample?.history ?? [0]], unknown: [], place: "the first history" };
    // Says at the start what nobody could be answered.
    const told = toldFault(recommender, row) === undefined ? {} : { preference: "anything" };
    await this.#fit(told, io);
    await recommender.load();
    this.#neighbours = new NeighbourIndex(recommender, await recommender.embeddings());
    await this.audience({ top: 1, categories: [] }).answer([
      { request: { history: row.history, ...told }, say: [] },
    ], {});
  }

  /** What is near an item. Only after {@link OpenedRun.load}. */
  get neighbours(): NeighbourIndex {
    return this.#neighbours!;
  }

  /** Throws `UserError` for a category without items, and where no item is left to choose from. */
  audience(wanted: Wanted): Audience {
    const { top, categories, allow } = wanted;
    const key = JSON.stringify([top, [...new Set(categories)].sort(), allow && [...new Set(allow)].sort()]);
    const group = this.#groups.get(key) ?? this.#makeGroup(wanted);
    this.#groups.delete(key);
    this.#groups.set(key, group);
    if (this.#groups.size > KEPT_GROUPS) this.#groups.delete(this.#groups.keys().next().value!);
    return group;
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.recommender.destroy();
  }

  /** Lets so many users be answered together as there is memory for, with the longest histories and the usual lists. */
  async #fit(told: { preference?: string }, io: Pick<TaskIO, "log">): Promise<void> {
    const { beams, maxBatch, maxItems, run } = this.#flags;
    const { dataset } = this.recommender;
    const history = Array.from({ length: maxItems }, (_, i) => i % dataset.items.length);
    this.#mostUsers = await fittedBatch(this.#device, {
      again: (device) => openRun(run, { ...this.#flags, dataset, device }),
      asked: Array.from({ length: maxBatch }, () => ({ history, ...told })),
      options: { k: usualTop(this.#flags), beams },
      // Sizes of batches change all the time.
      keep: KEPT,
      // Requests are made and forgotten while others wait, for as long as V8 lets them stand.
      inProcess: () => heapGrowth(Infinity)(),
    }, io) ?? maxBatch;
  }

  #makeGroup({ top, categories, allow }: Wanted): Audience {
    const { recommender } = this, { beams } = this.#flags;
    const allowed = this.#allowed(categories, allow);
    const options = { top, beams, allowed };
    return {
      allowed: allowed && new Set(allowed),
      sizeOf: async (waiting) => {
        const most = Math.min(
          waiting,
          this.#mostUsers,
          await recommender.batchSize({ k: top, beams, allowed }),
        );
        return evenCutOf(most) ?? most;
      },
      answer: (asked, wait) => recommendItems(recommender, asked, { ...options, wait }),
    };
  }

  #allowed(categories: readonly string[], allow?: readonly number[]): number[] | undefined {
    const { dataset } = this.recommender;
    const named = allow && new Set(allow);
    const members = categories.length > 0 ? itemsIn(categories, dataset, dataset.name) : undefined;
    const both = members && named
      ? members.filter((item) => named.has(item))
      : members ?? (named && [...named]);
    if (both?.length === 0) {
      throw new UserError(
        named?.size === 0
          ? `Cannot recommend out of allow: none of its items is in ${dataset.name}. Name items of this dataset`
          : `Cannot recommend out of allow: none of its ${
            named!.size
          } items is in the categories. Leave one of them out`,
      );
    }
    return both?.sort((a, b) => a - b);
  }
}
