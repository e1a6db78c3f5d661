export { scoreFeatures } from "./scores.ts";
export { transitionFeatures } from "./transitions.ts";
export { togetherFeatures } from "./together.ts";
export { popularityFeatures } from "./popularity.ts";
export { historyFeatures } from "./history.ts";
export { textFeatures } from "./texts.ts";
