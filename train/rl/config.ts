import { z } from "zod";
import { count, decay, grouped, positive, seed, share, stepsOrShare, weight } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import { TOKEN_NORMALISATIONS } from "../../kernels/trie/log_softmax.ts";
import {
  adamBetas,
  adamEpsilon,
  emaDecay,
  learningRate,
  lrSchedulerType,
  maxGradNorm,
  optim,
  weightDecay,
  zeroStage,
} from "../../models/optimizer/fields.ts";
import {
  checkpointFields,
  dtype,
  evalBeams,
  gradientCheckpointing,
  loggingSteps,
  loraFields,
  maxSteps,
  patience,
} from "../run/fields.ts";
import type { RlConfig } from "./config.generated.ts";
import { rlExampleFields } from "./examples/settings.ts";
import { objectiveMethod } from "./objectives/by_name.ts";

export type { RlConfig };

/** Heading of what rewards are told, those of their own settings included. */
export const REWARD_HEADING = "What answers are worth";

/** {@link RlConfig} with its checks and defaults. Rewards bring settings of their own beside these. */
export const RlSchema = z.strictObject({
  ...grouped(REWARD_HEADING, {
    reward: z.array(z.string()).min(1).default(["rule", "ranking"]).describe(
      "rewards that are added up, by name or .ts file, each with a weight such as ranking:0.5",
    ),
    skipZeroVariance: z.boolean().default(true).describe("leave groups of equal rewards out of the update"),
    rewardNormalisation: z.enum(["none", "group"]).default("none").describe(
      "what rewards are before they are weighted and added up: none: as they are; group: each divided by its own spread " +
        "in the group (GDPO), so that none drowns another",
    ),
    advantages: z.enum(["sid", "level", "sibling"]).default("sid").describe(
      "sid: one advantage a SID; level: one a level where rewards tell them apart (HEPO); sibling: one a token, among the " +
        "tokens that follow the same prefix (V-STAR)",
    ),
  }),
  ...grouped("The objective", {
    loss: z.string().default("grpo").describe("objective of the update"),
    normalisation: z.enum(["auto", ...TOKEN_NORMALISATIONS]).default("auto").describe(
      "what probabilities of the update are normalised over; auto: as the run was trained, of answers in words over those that may follow",
    ),
    numIterations: count().default(1).describe("updates that learn from one rollout"),
    beta: weight.default(0.001).describe("weight of the KL divergence from the reference"),
    klEstimator: z.enum(["auto", "k1", "k2", "k3"]).default("auto").describe(
      "its estimator; auto: the objective's",
    ),
    refModelSyncSteps: count(0).default(0).describe(
      "steps between moves of the reference to the policy; 0: never",
    ),
    refModelMixupAlpha: share.default(0.6).describe("share of the policy in such a move"),
    entropyCoefficient: weight.default(0).describe("weight of the entropy in the objective"),
    sftLossWeight: weight.default(0).describe(
      "weight of the targets' cross-entropy in the loss; with --targets none, of the first items of other recommenders",
    ),
    targetKl: weight.default(0).describe(
      "mean KL a token beyond which the learning rate is halved; 0: never",
    ),
    maxKl: positive.default(10).describe("mean KL a token beyond which the run stops"),
    collapseSteps: count(0).default(25).describe(
      "steps in a row without two answers of different reward in any group after which the run stops; 0: never",
    ),
  }),
  ...grouped("How it answers", {
    rollout: z.enum(["beam", "sample"]).default("beam").describe(
      "answers of a prompt: the best ones of a beam search, or draws from the model",
    ),
    numGenerations: count(2).default(16).describe("answers a prompt, G"),
    temperature: positive.default(1).describe("sample: temperature of the draws"),
    topK: count(0).default(0).describe("sample: draw among the k most likely tokens; 0: among all"),
    topP: positive.max(1).default(1).describe("sample: draw among the tokens with this mass"),
    replacement: z.boolean().default(true).describe(
      "sample: a group may hold an answer twice; --no-replacement draws different SIDs by Gumbel top-k",
    ),
    addTarget: z.boolean().default(false).describe(
      "a target that the model did not find takes the last answer's place",
    ),
    dynamicSampling: z.boolean().default(false).describe(
      "sample: draw half as many again, keep targets and different answers first",
    ),
    guidedAnswers: count(0).default(0).describe(
      "sample: answers of a group that start as the target does, which rewards reach sooner (prefix-guided, V-STAR)",
    ),
    guidedTokens: count().default(1).describe(
      "tokens that are given to such answers; they are not learned from",
    ),
  }),
  ...grouped("What is asked", rlExampleFields),
  ...grouped("Training", {
    promptsPerStep: count().default(64).describe("prompts of an optimizer step"),
    tokensPerBatch: count(64).default(2048).describe(
      "packed tokens of a micro batch; of an encoder-decoder, those that its encoder reads",
    ),
    numTrainEpochs: count().default(1).describe("passes over the examples"),
    maxSteps,
    optim,
    learningRate: learningRate(1e-5),
    lrSchedulerType,
    warmupRatio: share.default(0.03).describe("share of the steps in which the learning rate rises"),
    weightDecay: weightDecay(0),
    ...adamBetas,
    adamEpsilon,
    maxGradNorm: maxGradNorm(0.3),
    dropout: decay.default(0).describe("dropout rate of the update; answers are made without"),
    emaDecay: emaDecay(0),
    zeroStage,
    dtype,
    gradientCheckpointing,
    seed,
  }),
  ...grouped("What of the model is trained", loraFields),
  ...grouped("Validation and checkpoints", {
    loggingSteps: loggingSteps(10),
    evalSteps: stepsOrShare().gt(0).default(50).describe(
      "steps between validations, or a share of all such as 0.1",
    ),
    // One at least, since step 0 is in the race.
    evalSamples: count().default(1000).describe("valid samples of a validation"),
    evalBeams: evalBeams(10),
    patience: patience(6),
    ...checkpointFields,
  }),
}).describe(
  "Settings of reinforcement learning; names as in Hugging Face's TrainingArguments and TRL's GRPOConfig.",
);

/** `settings` with defaults for the rest. Throws {@link UserError} for values out of range and unknown keys. */
export function rlConfig(settings: Partial<RlConfig> = {}): RlConfig {
  const result = RlSchema.safeParse(settings);
  if (result.success) return checkedRl(result.data);
  const faults = result.error.issues.map(({ path, message }) =>
    path.length ? `${path.join(".")}: ${message}` : message
  );
  throw new UserError(`Cannot train with these settings: ${faults.join("; ")}. See RlConfig`);
}

/** The same settings. Throws {@link UserError} for an unknown loss and settings that contradict each other. */
export function checkedRl(config: RlConfig): RlConfig {
  checkRollout(config);
  checkObjective(config);
  checkTargets(config);
  if (config.loraR > 0 && config.refModelSyncSteps > 0) {
    throw new UserError(
      "Cannot use --ref-model-sync-steps with --lora-r: the reference of adapters is the model below them, which stays. " +
        "Leave out one of them",
    );
  }
  return config;
}

function checkTargets({ targets, addTarget, guidedAnswers }: RlConfig): void {
  if (targets !== "none") return;
  const given = [
    addTarget && "--add-target",
    guidedAnswers > 0 && "--guided-answers",
  ].filter((flag) => flag !== false);
  if (given.length > 0) {
    throw new UserError(
      `Cannot use ${
        given.join(", ")
      } with --targets none: there is no target. Leave it out, or use --targets own`,
    );
  }
}

function checkRollout(config: RlConfig): void {
  const { rollout, replacement, topK, topP, temperature, dynamicSampling, guidedAnswers, numGenerations } =
    config;
  if (rollout === "beam") {
    const given = [
      topK > 0 && "--top-k",
      topP < 1 && "--top-p",
      temperature !== 1 && "--temperature",
      !replacement && "--no-replacement",
      dynamicSampling && "--dynamic-sampling",
      guidedAnswers > 0 && "--guided-answers",
    ].filter((flag) => flag !== false);
    if (given.length > 0) {
      throw new UserError(
        `Cannot use ${given.join(", ")} with --rollout beam, which draws nothing. Use --rollout sample`,
      );
    }
  }
  if (guidedAnswers > 0 && (!replacement || dynamicSampling || guidedAnswers >= numGenerations)) {
    throw new UserError(
      `Cannot guide ${guidedAnswers} of ${numGenerations} answers: at least one has to be the model's own, and guided ` +
        "ones are drawn with replacement, each for a place of its own. Use fewer --guided-answers, and leave out " +
        "--no-replacement and --dynamic-sampling",
    );
  }
  if (!replacement && (topK > 0 || topP < 1 || dynamicSampling)) {
    throw new UserError(
      "Cannot draw without replacement from a part of the tokens, or more than needed: leave out --top-k, --top-p and " +
        "--dynamic-sampling, or draw with replacement",
    );
  }
}

function checkObjective({ loss, numIterations, advantages, rewardNormalisation }: RlConfig): void {
  const { objective } = objectiveMethod(loss);
  if (numIterations > 1 && objective.clipHigh === Infinity) {
    throw new UserError(
      `Cannot use --num-iterations ${numIterations} with --loss ${loss}: nothing bounds what several updates of one ` +
        "rollout do. Use --loss clipped, or --num-iterations 1",
    );
  }
  if (advantages === "level" && rewardNormalisation !== "none") {
    throw new UserError(
      "Cannot use --reward-normalisation group with --advantages level, which normalises what rewards say of each level. " +
        "Use --advantages sid or sibling, or leave out --reward-normalisation",
    );
  }
  if (advantages !== "sid" && objective.ratio !== "token") {
    throw new UserError(
      `Cannot use --advantages ${advantages} with --loss ${loss}, which has one ratio a SID: expected one a token. ` +
        "Use --loss clipped or grpo, or --advantages sid",
    );
  }
}
