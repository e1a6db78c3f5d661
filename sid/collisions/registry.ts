export { extraLevel } from "./extra_level.ts";
export { forge } from "./forge.ts";
export { keep } from "./keep.ts";
export { nearestFree } from "./nearest_free.ts";
export { sinkhorn } from "./sinkhorn.ts";
