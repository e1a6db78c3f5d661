import { SidRecommender } from "../../eval/sid_recommender.ts";
import type { OpenRunOptions } from "./run_kind.ts";
import { askedBy, loadSidModel, type SidRun } from "./sid_model.ts";

/** A run that writes SIDs as a recommender. Throws as {@link SidRecommender} does. */
export function sidRecommender(run: SidRun, options: OpenRunOptions): SidRecommender {
  const { kind, model, home, weights, data, index } = run;
  const { config, manifest } = home.home ?? home;
  return new SidRecommender({
    ...run,
    asked: askedBy(run),
    settings: config.model_type === undefined ? config : {},
    provenance: {
      kind,
      model,
      run: home.given,
      checkpoint: weights.checkpoint,
      data,
      index,
      ...(manifest.task !== undefined && { manifest }),
    },
    load: (device) => loadSidModel(device, run, options.weights),
  }, options);
}
