// Generated from the schemas by `deno task codegen`: change those, not this file.
import type { OptimName } from "../../models/optimizer/rules/by_name.ts";
import type { ReportTo } from "../observers/open.ts";
import type { ScheduleName } from "../../models/optimizer/schedule.ts";

/** What reinforcement learns from, and the seed of the draw. */
export interface RlExampleSettings {
  /**
   * Names, each with a weight such as titles-to-sid=0.5; none: what the run can be asked, as MiniOneRec
   * mixes it.
   * @default []
   */
  tasks: string[];
  /**
   * Most rows of titles-to-sid; 0: all.
   * @default 10000
   */
  titleHistories: number;
  /**
   * own: right is what the row says; all: also what other rows with the same prompt say; none: asked is
   * what comes after all that a user bought, which nobody knows: for rewards by other recommenders.
   * @default "own"
   */
  targets: "own" | "all" | "none";
  /**
   * File of task rows; without it, rl/train.json of the dataset.
   * @default ""
   */
  rows: string;
  /**
   * JSON or JSONL of user preferences, for preference-to-sid.
   * @default ""
   */
  preferences: string;
  /**
   * Seed of everything random.
   * @default 42
   */
  seed: number;
}

/** Settings of reinforcement learning; names as in Hugging Face's TrainingArguments and TRL's GRPOConfig. */
export interface RlConfig extends RlExampleSettings {
  /**
   * Rewards that are added up, by name or .ts file, each with a weight such as ranking:0.5.
   * @default ["rule","ranking"]
   */
  reward: string[];
  /**
   * Leave groups of equal rewards out of the update.
   * @default true
   */
  skipZeroVariance: boolean;
  /**
   * What rewards are before they are weighted and added up: none: as they are; group: each divided by its
   * own spread in the group (GDPO), so that none drowns another.
   * @default "none"
   */
  rewardNormalisation: "none" | "group";
  /**
   * sid: one advantage a SID; level: one a level where rewards tell them apart (HEPO); sibling: one a
   * token, among the tokens that follow the same prefix (V-STAR).
   * @default "sid"
   */
  advantages: "sid" | "level" | "sibling";
  /**
   * Objective of the update.
   * @default "grpo"
   */
  loss: string;
  /**
   * What probabilities of the update are normalised over; auto: as the run was trained, of answers in words
   * over those that may follow.
   * @default "auto"
   */
  normalisation: "auto" | "vocab" | "children";
  /**
   * Updates that learn from one rollout.
   * @default 1
   */
  numIterations: number;
  /**
   * Weight of the KL divergence from the reference.
   * @default 0.001
   */
  beta: number;
  /**
   * Its estimator; auto: the objective's.
   * @default "auto"
   */
  klEstimator: "auto" | "k1" | "k2" | "k3";
  /**
   * Steps between moves of the reference to the policy; 0: never.
   * @default 0
   */
  refModelSyncSteps: number;
  /**
   * Share of the policy in such a move.
   * @default 0.6
   */
  refModelMixupAlpha: number;
  /**
   * Weight of the entropy in the objective.
   * @default 0
   */
  entropyCoefficient: number;
  /**
   * Weight of the targets' cross-entropy in the loss; with --targets none, of the first items of other
   * recommenders.
   * @default 0
   */
  sftLossWeight: number;
  /**
   * Mean KL a token beyond which the learning rate is halved; 0: never.
   * @default 0
   */
  targetKl: number;
  /**
   * Mean KL a token beyond which the run stops.
   * @default 10
   */
  maxKl: number;
  /**
   * Steps in a row without two answers of different reward in any group after which the run stops; 0:
   * never.
   * @default 25
   */
  collapseSteps: number;
  /**
   * Answers of a prompt: the best ones of a beam search, or draws from the model.
   * @default "beam"
   */
  rollout: "beam" | "sample";
  /**
   * Answers a prompt, G.
   * @default 16
   */
  numGenerations: number;
  /**
   * sample: temperature of the draws.
   * @default 1
   */
  temperature: number;
  /**
   * sample: draw among the k most likely tokens; 0: among all.
   * @default 0
   */
  topK: number;
  /**
   * sample: draw among the tokens with this mass.
   * @default 1
   */
  topP: number;
  /**
   * sample: a group may hold an answer twice; --no-replacement draws different SIDs by Gumbel top-k.
   * @default true
   */
  replacement: boolean;
  /**
   * A target that the model did not find takes the last answer's place.
   * @default false
   */
  addTarget: boolean;
  /**
   * sample: draw half as many again, keep targets and different answers first.
   * @default false
   */
  dynamicSampling: boolean;
  /**
   * sample: answers of a group that start as the target does, which rewards reach sooner (prefix-guided,
   * V-STAR).
   * @default 0
   */
  guidedAnswers: number;
  /**
   * Tokens that are given to such answers; they are not learned from.
   * @default 1
   */
  guidedTokens: number;
  /**
   * Prompts of an optimizer step.
   * @default 64
   */
  promptsPerStep: number;
  /**
   * Packed tokens of a micro batch; of an encoder-decoder, those that its encoder reads.
   * @default 2048
   */
  tokensPerBatch: number;
  /**
   * Passes over the examples.
   * @default 1
   */
  numTrainEpochs: number;
  /**
   * Stop after so many optimizer steps; 0: by epochs alone.
   * @default 0
   */
  maxSteps: number;
  /**
   * adafactor: second moments as means of rows and columns, no first ones; adamw_8bit: AdamW with moments
   * of eight bits in blocks of 256; adamw_torch: AdamW with moments in float32.
   * @default "adamw_torch"
   */
  optim: OptimName;
  /**
   * Peak learning rate.
   * @default 0.00001
   */
  learningRate: number;
  /**
   * Decay of the learning rate.
   * @default "cosine"
   */
  lrSchedulerType: ScheduleName;
  /**
   * Share of the steps in which the learning rate rises.
   * @default 0.03
   */
  warmupRatio: number;
  /**
   * Decoupled weight decay on matrices.
   * @default 0
   */
  weightDecay: number;
  /**
   * AdamW beta 1.
   * @default 0.9
   */
  adamBeta1: number;
  /**
   * AdamW beta 2.
   * @default 0.999
   */
  adamBeta2: number;
  /**
   * AdamW epsilon.
   * @default 1e-8
   */
  adamEpsilon: number;
  /**
   * Largest gradient norm; 0 never clips.
   * @default 0.3
   */
  maxGradNorm: number;
  /**
   * Dropout rate of the update; answers are made without.
   * @default 0
   */
  dropout: number;
  /**
   * Decay of the averaged weights; 0 keeps none.
   * @default 0
   */
  emaDecay: number;
  /**
   * 1: each process keeps a share of the optimizer's moments (ZeRO); 0: all of them.
   * @default 0
   */
  zeroStage: number;
  /**
   * Storage of matrices; weights, gradients and moments stay float32.
   * @default "float32"
   */
  dtype: "float32" | "float16";
  /**
   * Compute blocks again in the backward pass: less memory, a third more time.
   * @default false
   */
  gradientCheckpointing: boolean;
  /**
   * Rank of LoRA adapters; 0: all weights train.
   * @default 0
   */
  loraR: number;
  /**
   * LoRA's alpha.
   * @default 32
   */
  loraAlpha: number;
  /**
   * Projections with an adapter: all, or names such as q_proj.
   * @default ["all"]
   */
  loraTargetModules: string[];
  /**
   * Steps between lines of metrics.jsonl.
   * @default 10
   */
  loggingSteps: number;
  /**
   * Steps between validations, or a share of all such as 0.1.
   * @default 50
   */
  evalSteps: number;
  /**
   * Valid samples of a validation.
   * @default 1000
   */
  evalSamples: number;
  /**
   * Beams of a validation.
   * @default 20
   */
  evalBeams: number;
  /**
   * Stop after so many validations without a better one; 0: never.
   * @default 6
   */
  patience: number;
  /**
   * Steps between checkpoints, or a share of all such as 0.05; 0: as --eval-steps.
   * @default 0
   */
  saveSteps: number;
  /**
   * Checkpoints to keep, the best among them; 0: all.
   * @default 2
   */
  saveTotalLimit: number;
  /**
   * Where metrics go besides metrics.jsonl.
   * @default ["none"]
   */
  reportTo: ReportTo[];
  /**
   * Project of --report-to wandb; without it, that of WANDB_PROJECT, or genrec.
   * @default ""
   */
  wandbProject: string;
}
