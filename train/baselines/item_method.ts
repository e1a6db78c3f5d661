import type { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import type { SettingsSchema } from "../../base/settings.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { ItemModel } from "../../models/items/item_model.ts";
import { itemBaseline, loadWeights } from "./item_baseline.ts";
import { trainItems } from "./item_training.ts";
import type { ItemTrainingConfig } from "./item_config.ts";
import type { ItemScoringMethod } from "./method.ts";

/** A model over item numbers that owns its weights. */
interface OwnedItemModel extends ItemModel {
  initialize(seed: number, initializerRange: number): void;
  destroy(): void;
}

/** What tells one network over item numbers from another. */
interface ItemMethodParts<C, S> {
  name: string;
  summary: string;
  Config: SettingsSchema<C>;
  /** `config.json` of checkpoints. */
  Shape: z.ZodType<S>;
  /** Sizes for a catalogue of so many items. */
  shapeOf(config: C, items: number): S;
  /** The network, its weights 0. Throws `UserError` for sizes that cannot be computed. */
  create(device: Device, shape: S): OwnedItemModel;
}

/** The line of the registry for a network over item numbers, trained by {@link trainItems}. */
export function itemMethod<C extends ItemTrainingConfig, S>(
  { name, summary, Config, Shape, shapeOf, create }: ItemMethodParts<C, S>,
): ItemScoringMethod<C> {
  return {
    name,
    summary,
    Config,
    worksTogether: true,
    scoreUnit: "logit",
    async train(input, config) {
      const model = create(input.device, shapeOf(config, input.dataset.items.length));
      model.initialize(config.seed, config.initializerRange);
      try {
        return await trainItems(model, input, config);
      } finally {
        model.destroy();
      }
    },
    async load(device, folder) {
      const model = create(device, await readJson(`${folder}/config.json`, Shape));
      try {
        await loadWeights(model, folder);
      } catch (error) {
        model.destroy();
        throw error;
      }
      return itemBaseline(model);
    },
  };
}
