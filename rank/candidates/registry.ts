export { runCandidates } from "./runs.ts";
export { transitionCandidates } from "./transitions.ts";
export { textCandidates } from "./texts.ts";
export { historyCandidates } from "./history.ts";
