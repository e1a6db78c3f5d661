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
import { MODEL_FOLDER } from "../site/site.ts";
import type { AskedLists, ListedItems, Opened } from "./messages.ts";

/** What a page computes with: one device and the model that is loaded. */
export class PageEngine {
  #device: Promise<Device> | undefined;
  #recommender: SidRecommender | undefined;

  /** Loads the model of the site at `base`. Throws `UserError` and `DeviceError` for what is missing or does not fit. */
  async open(base: string): Promise<Opened> {
    const start = performance.now();
    const { model } = await fetchSite(base);
    const [device, files] = await Promise.all([this.#open(), fetchModel(base, model)]);
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
