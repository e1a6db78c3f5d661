export { sidRun } from "./sid_run.ts";
export { baselineRun } from "./baseline_run.ts";
export { etegrecFolder } from "./etegrec_folder.ts";
export { modelDirectory } from "./model_directory.ts";
export { sidFolder } from "./sid_folder.ts";
export { rankRun } from "../rank/recommender.ts";
export { trainFolder } from "../pipeline/train_folder.ts";
