import { Sasrec, SasrecShape } from "../../models/sasrec.ts";
import { type AttentionConfig, AttentionSettings, attentionShape } from "./attention_settings.ts";
import { itemMethod } from "./item_method.ts";
import type { BaselineMethod } from "./method.ts";

/** Self-attentive sequential recommendation: see {@link Sasrec}. */
export const sasrec: BaselineMethod<AttentionConfig> = itemMethod<AttentionConfig, SasrecShape>({
  name: "sasrec",
  summary: "self-attention over item numbers (Kang and McAuley 2018)",
  Config: AttentionSettings,
  Shape: SasrecShape,
  shapeOf: (config, items) => ({ model_type: "sasrec", ...attentionShape(config, items) }),
  create: (device, shape) => new Sasrec(device, shape),
});
