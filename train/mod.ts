/**
 * Training and what it leaves: runs that open as recommenders, fine-tuning, reinforcement, BASELINES.
 * @module
 */

export { BASELINES } from "./baselines/by_name.ts";
export type {
  BaselineEpoch,
  BaselineFacts,
  BaselineInput,
  BaselineMethod,
  BaselineResult,
  CountGoOn,
  RankedItems,
  TrainedBaseline,
} from "./baselines/method.ts";
export type { Retrieval } from "./encoder_decoder/retrieval.ts";
export type {
  LoggedLine,
  MetricsObserver,
  ObserverContext,
  ReportStart,
  StartReports,
} from "./observers/observer.ts";
export { openObservers, type ReportTo } from "./observers/open.ts";
export { ADVANTAGE_SCALES, type AdvantageScale } from "./rl/advantages.ts";
export { type RlConfig, rlConfig } from "./rl/config.ts";
export type { Diagnostics } from "./rl/diagnostics.ts";
export { rlExamples, type RlRun, type RlTrainingSet } from "./rl/examples/examples.ts";
export type { RlExampleSettings } from "./rl/examples/settings.ts";
export { objectiveMethod, OBJECTIVES } from "./rl/objectives/by_name.ts";
export type { ObjectiveMethod, Reduction } from "./rl/objectives/objective.ts";
export type {
  PackedAnswers,
  PolicyBatch,
  PolicyDropout,
  PolicyGroup,
  PolicyModel,
  PolicyPacking,
} from "./rl/policy/batch.ts";
export {
  decoderPolicy,
  encoderDecoderPolicy,
  type PolicySettings,
  type PolicySource,
} from "./rl/policy/policies.ts";
export { adapterFreeReference, frozenReference, type ReferencePolicy } from "./rl/policy/reference.ts";
export { createRewards, type GroupScore, type RewardNormalisation, type RewardSet } from "./rl/reward_set.ts";
export { parseRewards, rewardMethod, REWARDS, type WeightedReward } from "./rl/rewards/by_name.ts";
export type {
  Completion,
  Reward,
  RewardContext,
  RewardGroup,
  RewardMethod,
  TaughtItem,
} from "./rl/rewards/reward.ts";
export type { RewardFunction } from "./rl/rewards/user_reward.ts";
export type { RlState } from "./rl/state.ts";
export { type RlInput, type RlResult, type RlRunInput, trainRl } from "./rl/trainer.ts";
export { type Verdict, verdict } from "./rl/verdict.ts";
export { loadDecoder } from "./run/checkpoint.ts";
export type { TrainerState } from "./run/loss_log.ts";
export { DivergenceError } from "./run/divergence.ts";
export { type MicroBatch, PackedData, type PackingOptions } from "./run/packed_data.ts";
export { RunDirectory, type RunFiles } from "./run/directory.ts";
export { Validation, type ValidationOptions, type ValidationResult } from "./run/validation.ts";
export { openRun } from "./runs/open_run.ts";
export type { OpenRunOptions } from "./runs/run_kind.ts";
export { type SftConfig, sftConfig } from "./sft/config.ts";
export { type DecoderInputs, sftDecoder } from "./sft/decoder.ts";
export { type SftInput, type SftResult, trainSft } from "./sft/sft.ts";
export type { SftFacts, SftTrainingInput } from "./sft/training.ts";
export { type ModelInputs, sidInputs } from "./sft/sid_inputs.ts";
export { type TextInputs, textInputs, type TextSettings } from "./sft/text_inputs.ts";
export { type RunManifest, runManifest } from "./run/inputs.ts";
export { type RunRecord, startRun } from "./runs/start_run.ts";
