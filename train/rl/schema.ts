import { z } from "zod";
import { TOKEN_NORMALISATIONS } from "../../kernels/trie/log_softmax.ts";
import { SCHEDULES } from "../../models/optimizer/schedule.ts";
import { REPORT_TO } from "../observers/open_observers.ts";
import { RlExampleFlags } from "./examples/settings.ts";
import type { RlConfig } from "./config.ts";

const count = (min = 1) => z.int().min(min);
const share = z.number().min(0).max(1);
const decay = z.number().min(0).lt(1);

const fields = {
  reward: z.array(z.string()).min(1).default(["rule", "ranking"]).describe(
    "rewards that are added up, each with a weight such as ranking:0.5; a name, or a .ts file with one of yours",
  ),
  loss: z.string().default("grpo").describe("objective of the update"),
  rollout: z.enum(["beam", "sample"]).default("beam").describe(
    "answers of a prompt: the best ones of a beam search, or draws from the model",
  ),
  numGenerations: count(2).default(16).describe("answers a prompt, G"),
  temperature: z.number().positive().default(1).describe("sample: temperature of the draws"),
  topK: count(0).default(0).describe("sample: draw among the k most likely tokens; 0: among all"),
  topP: z.number().positive().max(1).default(1).describe("sample: draw among the tokens with this mass"),
  replacement: z.boolean().default(true).describe(
    "sample: a group may hold an answer twice; --no-replacement draws different SIDs by Gumbel top-k",
  ),
  addTarget: z.boolean().default(false).describe(
    "a target that the model did not find takes the last answer's place",
  ),
  dynamicSampling: z.boolean().default(false).describe(
    "sample: draw half as many again, keep targets and different answers first",
  ),
  skipZeroVariance: z.boolean().default(true).describe("leave groups of equal rewards out of the update"),
  advantages: z.enum(["sid", "level"]).default("sid").describe(
    "one advantage a SID, or one a level where rewards tell them apart (HEPO)",
  ),
  normalisation: z.enum(["auto", ...TOKEN_NORMALISATIONS]).default("auto").describe(
    "what probabilities of the update are normalised over; auto: as the run was trained",
  ),
  ...RlExampleFlags,
  promptsPerStep: count().default(64).describe("prompts of an optimizer step"),
  numIterations: count().default(1).describe("updates that learn from one rollout"),
  tokensPerBatch: count(64).default(2048).describe(
    "packed tokens of a micro batch; of an encoder-decoder, those that its encoder reads",
  ),
  beta: z.number().min(0).default(0.001).describe("weight of the KL divergence from the reference"),
  klEstimator: z.enum(["auto", "k1", "k2", "k3"]).default("auto").describe(
    "its estimator; auto: the objective's",
  ),
  refModelSyncSteps: count(0).default(0).describe(
    "steps between moves of the reference to the policy; 0: never",
  ),
  refModelMixupAlpha: share.default(0.6).describe("share of the policy in such a move"),
  entropyCoefficient: z.number().min(0).default(0).describe("weight of the entropy in the objective"),
  sftLossWeight: z.number().min(0).default(0).describe("weight of the targets' cross-entropy in the loss"),
  numTrainEpochs: count().default(1).describe("passes over the examples"),
  maxSteps: count(0).default(0).describe("stop after so many optimizer steps; 0: by epochs alone"),
  learningRate: z.number().positive().default(1e-5).describe("peak learning rate"),
  lrSchedulerType: z.enum(SCHEDULES).default("cosine").describe("decay of the learning rate"),
  warmupRatio: share.default(0.03).describe("share of the steps in which the learning rate rises"),
  weightDecay: z.number().min(0).default(0).describe("decoupled weight decay on matrices"),
  adamBeta1: decay.default(0.9).describe("AdamW beta 1"),
  adamBeta2: decay.default(0.999).describe("AdamW beta 2"),
  adamEpsilon: z.number().positive().default(1e-8).describe("AdamW epsilon"),
  maxGradNorm: z.number().min(0).default(0.3).describe("largest gradient norm; 0 never clips"),
  dropout: decay.default(0).describe("dropout rate of the update; answers are made without"),
  emaDecay: decay.default(0).describe("decay of the averaged weights; 0 keeps none"),
  loraR: count(0).default(0).describe("rank of LoRA adapters; 0: all weights train"),
  loraAlpha: z.number().positive().default(32).describe("LoRA's alpha"),
  loraTargetModules: z.array(z.string()).min(1).default(["all"]).describe(
    "projections with an adapter: all, or names such as q_proj",
  ),
  gradientCheckpointing: z.boolean().default(false).describe(
    "compute blocks again in the backward pass: less memory, more time",
  ),
  seed: count(0).default(42).describe("seed of everything random"),
  loggingSteps: count().default(10).describe("steps between lines of metrics.jsonl"),
  evalSteps: count().default(50).describe("steps between validations"),
  evalSamples: count().default(1000).describe("valid samples of a validation"),
  evalBeams: count(10).default(20).describe("beams of a validation"),
  patience: count(0).default(6).describe("stop after so many validations without a better one; 0: never"),
  targetKl: z.number().min(0).default(0).describe(
    "mean KL a token beyond which the learning rate is halved; 0: never",
  ),
  maxKl: z.number().positive().default(10).describe("mean KL a token beyond which the run stops"),
  saveSteps: count(0).default(0).describe("steps between checkpoints; 0: as --eval-steps"),
  saveTotalLimit: count(0).default(2).describe("checkpoints to keep, the best among them; 0: all"),
  reportTo: z.array(z.enum(REPORT_TO)).default(["none"]).describe("where metrics go besides metrics.jsonl"),
} satisfies { [K in keyof RlConfig]: z.ZodType<RlConfig[K]> };

/** `RlConfig` with its checks, defaults and the help of its flags. */
export const RlSchema = z.strictObject(fields);
