import { z } from "zod";
import { count, grouped } from "../../base/fields.ts";
import { CANDIDATE_GENERATORS } from "../../rank/candidates/by_name.ts";
import { FEATURE_GROUPS } from "../../rank/features/by_name.ts";
import { RANKING_LOSSES } from "../../rank/losses/by_name.ts";
import { epochFields } from "../run/epoch_config.ts";

const namesOf = (members: readonly { name: string }[]) => members.map(({ name }) => name);
const chosen = (members: readonly { name: string }[]) =>
  z.array(z.enum(namesOf(members))).min(1).default(namesOf(members));

/** Settings of a ranker. */
export const RankSchema = z.strictObject({
  ...grouped("Candidates", {
    candidates: chosen(CANDIDATE_GENERATORS).describe("where candidates come from"),
    listLength: count().default(50).describe(
      "items that each run is asked for, and the longest list of the ranker",
    ),
    scoredLength: count(0).default(500).describe(
      "items of a run that scores every item whose scores are known; those beyond --list-length are no candidates of it",
    ),
    countCandidates: count(0).default(40).describe("the most items that transitions propose"),
    textCandidates: count(0).default(20).describe("the most items that texts propose"),
  }),
  ...grouped("Features", {
    features: chosen(FEATURE_GROUPS).describe("what is known of a candidate"),
  }),
  ...grouped("Training", {
    loss: z.enum(namesOf(RANKING_LOSSES)).default("softmax").describe("what is learned of each list"),
    hiddenSize: count(0).default(32).describe("hidden units; 0: scores are linear in the features"),
    numRankers: count().default(3).describe("networks that start differently and whose scores are averaged"),
    batchSize: count().default(64).describe(
      "lists of an optimizer step, of all processes together; fewer where an epoch would have less than eight steps",
    ),
    gradientAccumulationSteps: count().default(1).describe(
      "micro batches that the lists of a step are cut into, of all processes together",
    ),
    evalSamples: count(0).default(0).describe("valid samples that choose the best epoch; 0: all"),
    ...epochFields({
      dropout: 0.2,
      numTrainEpochs: 40,
      learningRate: 3e-3,
      warmupSteps: 0,
      weightDecay: 0.05,
    }),
  }),
});

/** {@link RankSchema} with all values. */
export type RankConfig = z.output<typeof RankSchema>;
