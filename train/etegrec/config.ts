import { z } from "zod";
import { count, grouped, positive, weight } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import { encoderDecoderFields, pairTrainingFields } from "../encoder_decoder/pair_config.ts";
import { checkpointFields } from "../run/fields.ts";
import { tokenizerFields } from "./item_tokenizer_config.ts";

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

/** How tokenizer and recommender are trained in turns (ETEGRec, Liu et al. 2025, arXiv:2409.05546), and the stages around it. */
export const EtegrecSchema = z.strictObject({
  ...grouped("Tokenizer and its pretraining", tokenizerFields),
  ...grouped("Recommender", { ...encoderDecoderFields, ...pairTrainingFields }),
  ...grouped("Joint training", {
    numTrainEpochs: count(2).default(20).describe("epochs in which tokenizer and recommender take turns"),
    cycle: count(2).default(2).describe(
      "epochs of a cycle: one of the tokenizer, the others of the recommender",
    ),
    warmEpochs: count(0).default(4).describe("first epochs without the alignment losses"),
    evalEpochs: count().default(2).describe("epochs between validations: a divisor or multiple of --cycle"),
    tokenizerLearningRate: positive.default(1e-4).describe("peak learning rate of the tokenizer"),
    siaWeight: weight.default(1e-4).describe(
      "weight of sequence-item alignment, the paper's mu, in epochs of the recommender",
    ),
    psaWeight: weight.default(3e-4).describe(
      "weight of preference-semantic alignment, the paper's lambda, in epochs of the recommender",
    ),
    tokenizerSiaWeight: weight.optional().describe(
      "the former in epochs of the tokenizer (default: --sia-weight);",
    ),
    tokenizerPsaWeight: weight.optional().describe(
      "the latter in epochs of the tokenizer (default: --psa-weight);",
    ),
    siaSign: z.enum(SIA_SIGNS).default("near").describe(
      "codes that sequence-item alignment weighs most: near ones as the paper says, or far ones as its code does;",
    ),
    temperature: positive.default(0.07).describe("temperature of preference-semantic alignment"),
    uniqueness: z.enum(UNIQUENESS).default("extra-level").describe(
      "how items of equal codes get SIDs of their own: one more code, the nearest last code that is free, or forge, " +
        "which numbers all last codes anew;",
    ),
    suffixCodes: count(2).default(256).describe("extra-level: items that may share their codes"),
  }),
  ...grouped("Stages around it", {
    frozenEpochs: count(0).default(0).describe(
      "epochs of a recommender on the SIDs before joint training, to compare with; 0: none",
    ),
    finetuneEpochs: count(0).default(10).describe("epochs after joint training, on SIDs that stay; 0: none"),
    finetuneLearningRate: positive.default(5e-4).describe("peak learning rate of these"),
    saveTotalLimit: checkpointFields.saveTotalLimit.describe(
      "checkpoints that each stage keeps, its best among them; 0: all",
    ),
  }),
});

/** Settings of all stages. */
export type EtegrecConfig = z.output<typeof EtegrecSchema>;

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

/** Weights of the alignment losses. */
export interface AlignmentWeights {
  /** Of sequence-item alignment, the paper's mu. */
  sia: number;
  /** Of preference-semantic alignment, the paper's lambda. */
  psa: number;
}

/** Weights of the alignment losses in epochs of the one or the other. */
export function alignmentWeights(
  { siaWeight, psaWeight, tokenizerSiaWeight = siaWeight, tokenizerPsaWeight = psaWeight }: Pick<
    EtegrecConfig,
    "siaWeight" | "psaWeight" | "tokenizerSiaWeight" | "tokenizerPsaWeight"
  >,
  phase: "tokenizer" | "recommender",
): AlignmentWeights {
  return phase === "tokenizer"
    ? { sia: tokenizerSiaWeight, psa: tokenizerPsaWeight }
    : { sia: siaWeight, psa: psaWeight };
}

/** Whether an epoch (from 0) trains the tokenizer. */
export function trainsTokenizer(epoch: number, { cycle }: Pick<EtegrecConfig, "cycle">): boolean {
  return epoch % cycle === 0;
}
