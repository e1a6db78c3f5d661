export { clipped } from "./clipped.ts";
export { dapo } from "./dapo.ts";
export { drGrpo } from "./dr_grpo.ts";
export { etegrec } from "./etegrec.ts";
export { grpo } from "./grpo.ts";
export { gspo } from "./gspo.ts";
