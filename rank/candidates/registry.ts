export { runCandidates } from "./runs.ts";
export { transitionCandidates } from "./transitions.ts";
export { historyCandidates } from "./history.ts";
