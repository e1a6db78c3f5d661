import { z } from "zod";
import { Sasrec, SasrecShape } from "../../models/items/sasrec.ts";
import { AttentionSettings, itemAttentionShape } from "./attention_settings.ts";
import { itemMethod } from "./item_method.ts";
import type { ItemScoringMethod } from "./method.ts";

const Config = AttentionSettings.extend({
  block: z.enum(["paper", "reference"]).default("paper").describe(
    "residuals as in the paper, or on normalised vectors and with one head, as MiniOneRec and MIMIGenRec do;",
  ),
});
/** Settings of {@link sasrec}. */
export type SasrecConfig = z.output<typeof Config>;

/** Self-attentive sequential recommendation: see {@link Sasrec}. */
export const sasrec: ItemScoringMethod<SasrecConfig> = itemMethod<SasrecConfig, SasrecShape>({
  name: "sasrec",
  summary: "self-attention over item numbers (Kang and McAuley 2018)",
  Config,
  Shape: SasrecShape,
  shapeOf: (config, items) => ({
    model_type: "sasrec",
    ...itemAttentionShape(config, items),
    block: config.block,
  }),
  create: (device, shape) => new Sasrec(device, shape),
});
