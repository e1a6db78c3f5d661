export { adafactor } from "./adafactor.ts";
export { blockwiseAdamw as adamw_8bit } from "./adamw_8bit.ts";
export { adamwTorch as adamw_torch } from "./adamw_torch.ts";
