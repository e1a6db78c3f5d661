import { Hstu, HstuShape } from "../../models/items/hstu.ts";
import { type AttentionConfig, AttentionSettings, itemAttentionShape } from "./attention_settings.ts";
import { itemMethod } from "./item_method.ts";
import type { ItemScoringMethod } from "./method.ts";

/** Hierarchical sequential transduction units: see {@link Hstu}. */
export const hstu: ItemScoringMethod<AttentionConfig> = itemMethod<AttentionConfig, HstuShape>({
  name: "hstu",
  summary: "pointwise attention with relative positions and gates over item numbers (Zhai et al. 2024)",
  Config: AttentionSettings,
  Shape: HstuShape,
  shapeOf: (config, items) => ({ model_type: "hstu", ...itemAttentionShape(config, items) }),
  create: (device, shape) => new Hstu(device, shape),
});
