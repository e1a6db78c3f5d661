import { UserError } from "../../base/user_error.ts";
import type { EncoderDecoderSettings, PairTrainingConfig } from "../encoder_decoder/pair_config.ts";
import type { TokenizerSettings } from "./tokenizer_config.ts";

/** How items with equal codes get SIDs of their own in a {@link EtegrecConfig}. */
export const UNIQUENESS = ["extra-level", "nearest-free", "forge"] as const;
/** One of {@link UNIQUENESS}. */
export type UniquenessPolicy = typeof UNIQUENESS[number];

/**
 * Which codes weigh most in sequence-item alignment: near ones, as in the paper, or far ones, as in its published code,
 * where a minus is missing.
 */
export const SIA_SIGNS = ["near", "far"] as const;
/** One of {@link SIA_SIGNS}. */
export type SiaSign = typeof SIA_SIGNS[number];

/** How tokenizer and recommender are trained in turns (ETEGRec, Liu et al. 2025, arXiv:2409.05546). */
export interface JointConfig extends EncoderDecoderSettings, PairTrainingConfig {
  /** Epochs of a cycle: the first trains the tokenizer, the others the recommender. */
  cycle: number;
  /** First epochs, in which nothing ties the two to each other. */
  warmEpochs: number;
  /** Epochs between validations; it divides the cycle, or the cycle divides it. */
  evalEpochs: number;
  /** Peak learning rate of the tokenizer. */
  tokenizerLearningRate: number;
  /** Weight of sequence-item alignment, the paper's mu. */
  siaWeight: number;
  /** Weight of preference-semantic alignment, the paper's lambda. */
  psaWeight: number;
  siaSign: SiaSign;
  /** What cosines of preference-semantic alignment are divided by. */
  temperature: number;
  uniqueness: UniquenessPolicy;
  /** `extra-level`: items that may share the codes before. */
  suffixCodes: number;
}

/** Settings of all stages. */
export interface EtegrecConfig extends JointConfig, TokenizerSettings {
  /** Epochs of a recommender on the SIDs of the tokenizer as it is before joint training, to compare with; 0: none. */
  frozenEpochs: number;
  /** Epochs after joint training on SIDs that stay; 0: none. */
  finetuneEpochs: number;
  /** Peak learning rate of these. */
  finetuneLearningRate: number;
}

/**
 * The settings, if they fit each other.
 * @throws {UserError} for cycles that fit neither the epochs nor the evaluations.
 */
export function checkedEtegrec(config: EtegrecConfig): EtegrecConfig {
  const { cycle, evalEpochs, numTrainEpochs } = config;
  if (cycle % evalEpochs !== 0 && evalEpochs % cycle !== 0) {
    throw new UserError(
      `Cannot evaluate every ${evalEpochs} epochs with a cycle of ${cycle}: --eval-epochs should divide --cycle, or be ` +
        `a multiple of it. Use --eval-epochs ${cycle}`,
    );
  }
  if (numTrainEpochs % cycle !== 0) {
    const whole = Math.ceil(numTrainEpochs / cycle) * cycle;
    throw new UserError(
      `Cannot train ${numTrainEpochs} epochs in cycles of ${cycle}: --num-train-epochs should be a multiple of --cycle, ` +
        `so that the recommender has seen the last SIDs. Use --num-train-epochs ${whole}`,
    );
  }
  return config;
}

/** Whether an epoch (from 0) trains the tokenizer. */
export function trainsTokenizer(epoch: number, { cycle }: Pick<JointConfig, "cycle">): boolean {
  return epoch % cycle === 0;
}
