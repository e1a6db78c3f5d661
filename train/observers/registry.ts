export { openTensorboard as tensorboard } from "./tensorboard.ts";
export { openWandb as wandb } from "./wandb.ts";
