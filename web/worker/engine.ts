import { listedItems } from "../../eval/item_lists.ts";
import type { SidRecommender } from "../../eval/sid_recommender.ts";
import { ATTENTION } from "../../kernels/attention/attention.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { adapterName } from "../../kernels/gpu/adapters.ts";
import { MATMUL } from "../../kernels/matmul/matmul.ts";
import { UserError } from "../../base/user_error.ts";
import { fetchModel, fetchSite } from "../site/fetch_model.ts";
import { MemoryFiles } from "../site/memory_files.ts";
import { openSiteModel } from "../site/open_model.ts";
import { MODEL_FOLDER } from "../site/paths.ts";
import type { SftConfig } from "../../train/sft/config.ts";
import { type KeptModel, ModelStore } from "../training/kept_model.ts";
import { type ShopModel, type ShopProgress, trainShop } from "../training/shop_model.ts";
import type { AskedLists, ListedItems, ModelSource, Opened, Trained } from "./messages.ts";

/** What a page computes with: one device and the model that is loaded. */
export class PageEngine {
  #device: Promise<Device> | undefined;
  #recommender: SidRecommender | undefined;
  #own: KeptModel | undefined;
  #training: AbortController | undefined;

  /** Loads the model of the site at `base`, or the one that was trained here. Throws `UserError` and `DeviceError` for what is missing or does not fit. */
  async open(base: string, source: ModelSource): Promise<Opened> {
    const start = performance.now();
    const [device, { model, files }] = await Promise.all([this.#open(), this.#find(base, source)]);
    const memory = new MemoryFiles(MODEL_FOLDER, files);
    const { recommender, popular } = await openSiteModel(model, MODEL_FOLDER, memory, device);
    await recommender.load();
    this.#recommender?.destroy();
    this.#recommender = recommender;
    const { items, names } = recommender.catalogue;
    return {
      name: model.dataset,
      titles: items.map(({ title }) => title),
      sids: names,
      popular,
      maxHistory: model.maxHistory,
      adapter: adapterName(device.info),
      milliseconds: performance.now() - start,
    };
  }

  /** The best items after each history. */
  async recommend({ histories, top, beams, excludeSeen }: AskedLists): Promise<ListedItems> {
    const recommender = this.#recommender;
    if (!recommender) throw new UserError("Cannot recommend: no model is loaded");
    const start = performance.now();
    const requests = histories.map((history) => ({ history, excluded: new Set(excludeSeen ? history : []) }));
    const candidates = await recommender.recommend(requests, { k: top, beams });
    return {
      lists: candidates.map((list) => listedItems(list, top)),
      milliseconds: performance.now() - start,
    };
  }

  /** The lines of the training of the model that was trained here. */
  async kept(base: string): Promise<readonly ShopProgress[]> {
    this.#own ??= await new ModelStore(base).read();
    return this.#own?.lines ?? [];
  }

  /** Trains a model for the built-in shop, and keeps it as far as the browser does. */
  async train(base: string, onProgress: (progress: ShopProgress) => void): Promise<Trained> {
    if (this.#training) throw new UserError("Cannot train: a training is running. Stop it first");
    const { signal } = this.#training = new AbortController();
    try {
      const { shop } = await fetchSite(base);
      const lines: ShopProgress[] = [];
      const trained = await trainShop({
        ...shop,
        device: await this.#open(),
        settings: shop.settings as unknown as SftConfig,
        signal,
        onProgress(progress) {
          lines.push(progress);
          onProgress(progress);
        },
      });
      this.#own = { ...trained, lines };
      return { isKept: await new ModelStore(base).write(this.#own) };
    } finally {
      this.#training = undefined;
    }
  }

  /** Ends the training after its step. */
  stop(): void {
    this.#training?.abort();
  }

  async #find(base: string, source: ModelSource): Promise<ShopModel> {
    if (source === "own") {
      const own = this.#own ??= await new ModelStore(base).read();
      if (own) return own;
      throw new UserError("Cannot open the model that was trained here: the browser kept none. Train one");
    }
    const { model } = await fetchSite(base);
    return { model, files: await fetchModel(base, model) };
  }

  #open(): Promise<Device> {
    return this.#device ??= openDevice();
  }
}

/**
 * The device of the browser. Where that computes on the CPU, as Chromium does without a graphics card, compiling takes
 * longer than computing: kernels with the least code answer first.
 */
async function openDevice(): Promise<Device> {
  const device = await Device.open();
  if (!device.isCpu) return device;
  device.variants.pin(MATMUL, "block");
  device.variants.pin(ATTENTION, "rows");
  return device;
}
