import { z } from "zod";
import { blocks, count, decay, grouped, seed, share, stepsOrShare, weight } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import { MODEL_TYPES } from "../../models/decoder/shapes/by_name.ts";
import {
  adamBetas,
  adamEpsilon,
  emaDecay,
  initializerRange,
  learningRate,
  lrSchedulerType,
  maxGradNorm,
  optim,
  warmupSteps,
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
import { TEXT_TOKENS } from "../../prompts/rows/item_texts.ts";
import type { SftConfig } from "./config.generated.ts";

export type { SftConfig };

/** What a language model is fine-tuned on where nothing else is said. */
const DEFAULT_TASKS = ["next-item", "sid-to-title", "title-to-sid", "history-to-title"];

/** What the directory of a model decides. */
export const architectureFields = {
  modelType: z.enum(MODEL_TYPES).default("qwen3").describe("decoder family"),
  hiddenSize: count().default(128).describe("width of the residual stream"),
  intermediateSize: count().default(384).describe("width of the gated feed-forward layer"),
  numHiddenLayers: blocks().default(4).describe("decoder blocks"),
  numAttentionHeads: count().default(4).describe("query heads"),
  numKeyValueHeads: count().default(4).describe("key-value heads"),
  tieWordEmbeddings: z.boolean().default(true).describe("use the embedding as output matrix"),
  initializerRange: initializerRange(0.05),
};

const { loraTargetModules, ...lora } = loraFields;

/** {@link SftConfig} with its checks and defaults. */
export const SftSchema = z.strictObject({
  ...grouped("What it learns from", {
    mode: z.enum(["auto", "histories", "samples", "tasks"]).default("auto").describe(
      "histories: a user's whole train history as one sequence of SIDs with a loss at every item; samples: one such row " +
        "a target; tasks: rows of text; auto: tasks with --model or --tokenizer, histories without",
    ),
    tasks: z.array(z.string()).min(1).default(DEFAULT_TASKS).describe(
      "tasks mode: names, each with a weight such as sid-to-title=0.5",
    ),
    prompts: z.string().default("").describe(
      "template file of other words, `genrec`: ours, or `chat`: ours in the chat template of the model; without it, " +
        "those of the run that --model names, else ours",
    ),
    category: z.string().min(1).default("items").describe("what {category} of a template stands for"),
    preferences: z.string().default("").describe(
      "JSON or JSONL of user preferences, for the tasks that need them",
    ),
    rows: z.array(z.string()).default([]).describe(
      "tasks mode: files of rows for task rows, one after another; without them, sft/train.json of the dataset",
    ),
    taskRows: z.array(z.string()).default([]).describe(
      "tasks mode: most rows of tasks, drawn by the seed, such as titles-to-sid=10000; none: all",
    ),
    maxTitleTokens: count().default(TEXT_TOKENS.title).describe("tasks mode: longer titles are cut"),
    maxDescriptionTokens: count().default(TEXT_TOKENS.description).describe(
      "tasks mode: longer descriptions are cut",
    ),
    maxLength: count(8).default(512).describe("tasks mode: longest sequence in tokens"),
    longSequences: z.enum(["truncate", "skip", "error"]).default("truncate").describe(
      "longer sequences: drop the oldest items of the history, leave them out, or stop",
    ),
    lossNormalisation: z.enum(["token", "sample"]).optional().describe(
      "mean over target tokens, or over rows (default: token, with --value-aware sample);",
    ),
    historyLossWeight: share.default(0).describe(
      "tasks mode: loss weight of the SIDs in the history of next-item rows; the answer has 1",
    ),
    valueAware: z.boolean().default(false).describe("rows weigh ln(1 + value) of the target (VAFT)"),
    maxHistory: count().default(10).describe("items of a prompt, the latest ones"),
    historyWeight: share.default(0.3).describe(
      "samples mode: loss weight of history items, the target has 1",
    ),
    firstItemWeight: share.default(1).describe("histories mode: loss weight of the first item"),
    recencyWeight: weight.default(0).describe(
      "r weighs a target by exp(-r (1 - t)), t from 0 to 1 its time in the train period; needs samples in time order",
    ),
    maxSequenceItems: count(2).default(50).describe("histories mode: longer histories are cut in parts"),
  }),
  ...grouped("The model", {
    model: z.string().default("").describe("Hugging Face directory to start from, run of sft, or .gguf file"),
    fromScratch: z.boolean().default(false).describe(
      "take architecture and tokenizer of --model, no weights",
    ),
    tokenizer: z.string().default("").describe("tokenizer.json, or its directory, of a model from scratch"),
    trimVocabulary: z.boolean().default(false).describe(
      "keep only the tokens that the training texts use, of a pretrained model their rows",
    ),
    trimMinCount: count().default(1).describe("uses that keep a token with --trim-vocabulary"),
    ...architectureFields,
  }),
  ...grouped("Training", {
    trieLossWeight: share.default(0).describe(
      "share of the loss of SID tokens that is normalised over the tokens that may follow",
    ),
    dtype,
    gradientCheckpointing,
    numTrainEpochs: count().default(20).describe("passes over the train split"),
    maxSteps,
    tokensPerBatch: count(64).default(2048).describe("packed tokens of a micro batch"),
    gradientAccumulationSteps: count().default(1).describe("micro batches of an optimizer step"),
    batchSize: count(0).default(0).describe(
      "sequences of an optimizer step, in as many micro batches as they need; 0: --gradient-accumulation-steps",
    ),
    optim,
    learningRate: learningRate(1.5e-3),
    lrSchedulerType,
    warmupSteps: warmupSteps(100),
    minLearningRateRatio: share.default(0).describe("share of the peak at which the decay ends"),
    weightDecay: weightDecay(0.01),
    ...adamBetas,
    adamEpsilon,
    maxGradNorm: maxGradNorm(1),
    labelSmoothing: share.default(0.05).describe("target mass spread over the vocabulary"),
    dropout: decay.default(0.3).describe("rate on embeddings and block outputs"),
    emaDecay: emaDecay(0.998),
    zeroStage,
    seed,
  }),
  ...grouped("What of it is trained", {
    freeze: z.enum(["none", "llm"]).default("none").describe("llm: only the rows of new tokens train"),
    ...lora,
    loraDropout: decay.default(0.05).describe("dropout on the input of the adapters"),
    loraTargetModules,
    useRslora: z.boolean().default(false).describe("scale adapters by alpha / sqrt(r)"),
  }),
  ...grouped("Validation and checkpoints", {
    loggingSteps: loggingSteps(20),
    evalSteps: stepsOrShare().default(0).describe(
      "steps between validations, or a share of all such as 0.05; 0: after each epoch",
    ),
    evalSamples: count(0).default(500).describe("valid samples of a validation; 0: no validation"),
    evalBeams: evalBeams(),
    metricForBestModel: z.enum(["ndcg10", "loss"]).default("ndcg10").describe(
      "what makes a checkpoint the best",
    ),
    patience: patience(0),
    ...checkpointFields,
    saveDtype: z.enum(["float32", "float16", "bfloat16"]).default("float32").describe(
      "number format of the weights in checkpoints; a resumed run goes on in float32 all the same",
    ),
  }),
}).describe(
  "Settings of supervised fine-tuning; names as in Hugging Face's TrainingArguments and model configs.",
);

/** What probabilities are normalised over where a model is asked as it was trained. */
export function trainedNormalisation(
  { trieLossWeight }: Pick<SftConfig, "trieLossWeight">,
): TokenNormalisation {
  return trieLossWeight > 0 ? "children" : "vocab";
}

/** `settings` with defaults for the rest. Throws {@link UserError} for values out of range and unknown keys. */
export function sftConfig(settings: Partial<SftConfig> = {}): SftConfig {
  const result = SftSchema.safeParse(settings);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    path.length ? `${path.join(".")}: ${message}` : message
  );
  throw new UserError(`Cannot train with these settings: ${faults.join("; ")}. See SftConfig`);
}
