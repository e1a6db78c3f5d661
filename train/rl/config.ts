import { UserError } from "../../base/user_error.ts";
import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { ScheduleName } from "../../models/optimizer/schedule.ts";
import { objectiveMethod } from "./objectives/by_name.ts";
import type { ReportTo } from "../observers/open_observers.ts";
import type { RlExampleSettings } from "./examples/settings.ts";
import { RlSchema } from "./schema.ts";

/** Settings of reinforcement learning; names as in Hugging Face's TrainingArguments and TRL's GRPOConfig. */
export interface RlConfig extends RlExampleSettings {
  /** Rewards that are added up, each with a weight such as `ranking:0.5`, 1 where none stands. Default: rule, ranking. */
  reward: string[];
  /** Objective of the update: see `OBJECTIVES`. Default: `grpo`. */
  loss: string;
  /** How answers are made: the best SIDs of a beam search, or draws from the model. Default: `beam`. */
  rollout: "beam" | "sample";
  /** G: answers a prompt. Default: 16. */
  numGenerations: number;
  /** `sample`: temperature of the draws. Default: 1. */
  temperature: number;
  /** `sample`: draws are among the k most likely tokens; 0: among all. Default: 0. */
  topK: number;
  /** `sample`: draws are among the most likely tokens that have this mass together. Default: 1. */
  topP: number;
  /** `sample`: whether a group may hold an answer twice; without, by Gumbel top-k over whole SIDs. Default: true. */
  replacement: boolean;
  /** Whether a target that the model did not find takes the place of the last answer. Default: false. */
  addTarget: boolean;
  /** `sample`: draw half as many again and keep G of them, targets and different ones first. Default: false. */
  dynamicSampling: boolean;
  /** Whether groups whose rewards are all equal are left out of the update. Default: true. */
  skipZeroVariance: boolean;
  /** Whether every level of a SID has an advantage of its own (HEPO), or all the same. Default: `sid`. */
  advantages: "sid" | "level";
  /** What probabilities of the update are normalised over; auto: as the run was trained. Default: `auto`. */
  normalisation: TokenNormalisation | "auto";
  /** Prompts of an optimizer step. Default: 64. */
  promptsPerStep: number;
  /** Updates that learn from one rollout. Default: 1. */
  numIterations: number;
  /** Packed tokens of a micro batch; of an encoder-decoder, those that its encoder reads. Default: 2048. */
  tokensPerBatch: number;
  /** Weight of the KL divergence from the reference. Default: 0.001. */
  beta: number;
  /** Estimator of that divergence; auto: that of the objective. Default: `auto`. */
  klEstimator: "auto" | "k1" | "k2" | "k3";
  /** Steps between moves of the reference towards the policy; 0: it stays. Default: 0. */
  refModelSyncSteps: number;
  /** Share of the policy in such a move. Default: 0.6. */
  refModelMixupAlpha: number;
  /** Weight of the entropy that is added to the objective. Default: 0. */
  entropyCoefficient: number;
  /** Weight of the cross-entropy of the targets that is added to the loss. Default: 0. */
  sftLossWeight: number;
  /** Passes over the examples. Default: 1. */
  numTrainEpochs: number;
  /** Stop after so many optimizer steps; 0: by epochs alone. Default: 0. */
  maxSteps: number;
  /** Peak learning rate of AdamW. Default: 1e-5. */
  learningRate: number;
  /** Shape of the learning rate. Default: `cosine`. */
  lrSchedulerType: ScheduleName;
  /** Share of the steps in which the learning rate rises. Default: 0.03. */
  warmupRatio: number;
  /** Decoupled weight decay on matrices. Default: 0. */
  weightDecay: number;
  /** AdamW's decay of the mean gradient. Default: 0.9. */
  adamBeta1: number;
  /** AdamW's decay of the mean squared gradient. Default: 0.999. */
  adamBeta2: number;
  /** AdamW's epsilon. Default: 1e-8. */
  adamEpsilon: number;
  /** Largest global gradient norm; 0 never clips. Default: 0.3. */
  maxGradNorm: number;
  /** Dropout rate of the update; answers are always made without. Default: 0. */
  dropout: number;
  /** Decay of the averaged weights, which are validated and saved; 0 keeps none. Default: 0. */
  emaDecay: number;
  /** Rank of LoRA adapters, the reference being the model without them; 0: all weights train. Default: 0. */
  loraR: number;
  /** LoRA's alpha. Default: 32. */
  loraAlpha: number;
  /** Projections with an adapter: `all`, or names such as `q_proj`. */
  loraTargetModules: string[];
  /** Whether blocks are computed again in the backward pass: less memory, more time. Default: false. */
  gradientCheckpointing: boolean;
  /** Optimizer steps between lines of `metrics.jsonl`. Default: 10. */
  loggingSteps: number;
  /** Optimizer steps between validations. Default: 50. */
  evalSteps: number;
  /** Valid samples of a validation; at least 1, since step 0 is in the race. Default: 1000. */
  evalSamples: number;
  /** Beams of a validation. Default: 20. */
  evalBeams: number;
  /** Validations without a better one to stop after; 0: never. Default: 6. */
  patience: number;
  /** Mean KL divergence a token beyond which the learning rate is halved; 0: never. Default: 0. */
  targetKl: number;
  /** Mean KL divergence a token beyond which the run stops with an error. Default: 10. */
  maxKl: number;
  /** Optimizer steps between checkpoints, besides those of better validations and the last; 0: as `evalSteps`. */
  saveSteps: number;
  /** Checkpoints to keep, the latest ones, and the best whatever its age; 0 keeps all. Default: 2. */
  saveTotalLimit: number;
  /** Where metrics go besides `metrics.jsonl`. Default: `none`. */
  reportTo: ReportTo[];
}

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
  if (config.loraR > 0 && config.refModelSyncSteps > 0) {
    throw new UserError(
      "Cannot use --ref-model-sync-steps with --lora-r: the reference of adapters is the model below them, which stays. " +
        "Leave out one of them",
    );
  }
  return config;
}

function checkRollout({ rollout, replacement, topK, topP, temperature, dynamicSampling }: RlConfig): void {
  if (rollout === "beam") {
    const given = [
      topK > 0 && "--top-k",
      topP < 1 && "--top-p",
      temperature !== 1 && "--temperature",
      !replacement && "--no-replacement",
      dynamicSampling && "--dynamic-sampling",
    ].filter((flag) => flag !== false);
    if (given.length > 0) {
      throw new UserError(
        `Cannot use ${given.join(", ")} with --rollout beam, which draws nothing. Use --rollout sample`,
      );
    }
  }
  if (!replacement && (topK > 0 || topP < 1 || dynamicSampling)) {
    throw new UserError(
      "Cannot draw without replacement from a part of the tokens, or more than needed: leave out --top-k, --top-p and " +
        "--dynamic-sampling, or draw with replacement",
    );
  }
}

function checkObjective({ loss, numIterations, advantages }: RlConfig): void {
  const { objective } = objectiveMethod(loss);
  if (numIterations > 1 && objective.clipHigh === Infinity) {
    throw new UserError(
      `Cannot use --num-iterations ${numIterations} with --loss ${loss}: nothing bounds what several updates of one ` +
        "rollout do. Use --loss clipped, or --num-iterations 1",
    );
  }
  if (advantages === "level" && objective.ratio !== "token") {
    throw new UserError(
      `Cannot use --advantages level with --loss ${loss}, which has one ratio a SID: expected one a token. ` +
        "Use --loss clipped or grpo, or --advantages sid",
    );
  }
}
