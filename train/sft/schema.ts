import { z } from "zod";
import { SCHEDULES } from "../../models/optimizer/schedule.ts";
import { REPORT_TO } from "../observers/open_observers.ts";
import type { SftConfig } from "./config.ts";

const count = (min = 1) => z.int().min(min);
const share = z.number().min(0).max(1);
const decay = z.number().min(0).lt(1);

/** What a language model is fine-tuned on where nothing else is said. */
const DEFAULT_TASKS = ["next-item", "sid-to-title", "title-to-sid", "history-to-title"];

const fields = {
  mode: z.enum(["auto", "histories", "samples", "tasks"]).default("auto").describe(
    "histories: a user's whole train history as one sequence of SIDs with a loss at every item; samples: one such row " +
      "a target; tasks: rows of text; auto: tasks with --model or --tokenizer, histories without",
  ),
  model: z.string().default("").describe("Hugging Face directory to start from"),
  fromScratch: z.boolean().default(false).describe("take architecture and tokenizer of --model, no weights"),
  tokenizer: z.string().default("").describe("tokenizer.json, or its directory, of a model from scratch"),
  trimVocabulary: z.boolean().default(false).describe(
    "from scratch: keep only the tokens that the training texts use",
  ),
  trimMinCount: count().default(1).describe("uses that keep a token with --trim-vocabulary"),
  tasks: z.array(z.string()).min(1).default(DEFAULT_TASKS).describe(
    "tasks mode: names, each with a weight such as sid-to-title=0.5",
  ),
  prompts: z.string().default("").describe("template file of other prompts than ours"),
  category: z.string().min(1).default("items").describe("what {category} of a template stands for"),
  preferences: z.string().default("").describe(
    "JSON or JSONL of user preferences, for the tasks that need them",
  ),
  maxLength: count(8).default(512).describe("tasks mode: longest sequence in tokens"),
  longSequences: z.enum(["truncate", "skip", "error"]).default("truncate").describe(
    "longer sequences: drop the oldest items of the history, leave them out, or stop",
  ),
  lossNormalisation: z.enum(["token", "sample"]).default("token").describe(
    "mean over target tokens, or over rows",
  ),
  historyLossWeight: share.default(0).describe(
    "tasks mode: loss weight of the SIDs in the history of next-item rows; the answer has 1",
  ),
  valueAware: z.boolean().default(false).describe("rows weigh ln(1 + value) of the target (VAFT)"),
  trieLossWeight: share.default(0).describe(
    "share of the loss of SID tokens that is normalised over the tokens that may follow",
  ),
  freeze: z.enum(["none", "llm"]).default("none").describe("llm: only the rows of new tokens train"),
  loraR: count(0).default(0).describe("rank of LoRA adapters; 0: all weights train"),
  loraAlpha: z.number().positive().default(32).describe("LoRA's alpha"),
  loraDropout: decay.default(0.05).describe("dropout on the input of the adapters"),
  loraTargetModules: z.array(z.string()).min(1).default(["all"]).describe(
    "projections with an adapter: all, or names such as q_proj",
  ),
  useRslora: z.boolean().default(false).describe("scale adapters by alpha / sqrt(r)"),
  dtype: z.enum(["float32", "float16"]).default("float32").describe(
    "storage of matrices; weights, gradients and moments stay float32",
  ),
  gradientCheckpointing: z.boolean().default(false).describe(
    "compute blocks again in the backward pass: less memory, a third more time",
  ),
  modelType: z.enum(["qwen2", "qwen3", "llama"]).default("qwen3").describe("decoder family"),
  hiddenSize: count().default(128).describe("width of the residual stream"),
  intermediateSize: count().default(384).describe("width of the gated feed-forward layer"),
  numHiddenLayers: count().default(4).describe("decoder blocks"),
  numAttentionHeads: count().default(4).describe("query heads"),
  numKeyValueHeads: count().default(4).describe("key-value heads"),
  tieWordEmbeddings: z.boolean().default(true).describe("use the embedding as output matrix"),
  initializerRange: z.number().positive().default(0.05).describe("standard deviation of fresh weights"),
  maxHistory: count().default(10).describe("items of a prompt, the latest ones"),
  historyWeight: share.default(0.3).describe(
    "samples mode: loss weight of history items, the target has 1",
  ),
  firstItemWeight: share.default(1).describe("histories mode: loss weight of the first item"),
  recencyWeight: z.number().min(0).default(0).describe(
    "r weighs a target by exp(-r (1 - t)), t from 0 to 1 its time in the train period; needs samples in time order",
  ),
  maxSequenceItems: count(2).default(50).describe("histories mode: longer histories are cut in parts"),
  numTrainEpochs: count().default(20).describe("passes over the train split"),
  maxSteps: count(0).default(0).describe("stop after so many optimizer steps; 0: by epochs alone"),
  tokensPerBatch: count(64).default(2048).describe("packed tokens of a micro batch"),
  gradientAccumulationSteps: count().default(1).describe("micro batches of an optimizer step"),
  batchSize: count(0).default(0).describe(
    "sequences of an optimizer step, in as many micro batches as they need; 0: --gradient-accumulation-steps",
  ),
  learningRate: z.number().positive().default(1.5e-3).describe("peak learning rate"),
  lrSchedulerType: z.enum(SCHEDULES).default("cosine").describe("decay of the learning rate"),
  warmupSteps: count(0).default(100).describe("steps of linear warmup"),
  minLearningRateRatio: share.default(0).describe("share of the peak at which the decay ends"),
  weightDecay: z.number().min(0).default(0.01).describe("decoupled weight decay on matrices"),
  adamBeta1: decay.default(0.9).describe("AdamW beta 1"),
  adamBeta2: decay.default(0.999).describe("AdamW beta 2"),
  adamEpsilon: z.number().positive().default(1e-8).describe("AdamW epsilon"),
  maxGradNorm: z.number().min(0).default(1).describe("largest gradient norm; 0 never clips"),
  labelSmoothing: share.default(0.05).describe("target mass spread over the vocabulary"),
  dropout: decay.default(0.3).describe("rate on embeddings and block outputs"),
  emaDecay: decay.default(0.998).describe("decay of the averaged weights; 0 keeps none"),
  seed: count(0).default(42).describe("seed of everything random"),
  loggingSteps: count().default(20).describe("steps between lines of metrics.jsonl"),
  evalSteps: count(0).default(0).describe("steps between validations; 0: after each epoch"),
  evalSamples: count(0).default(500).describe("valid samples of a validation; 0: no validation"),
  evalBeams: count().default(20).describe("beams of a validation"),
  metricForBestModel: z.enum(["ndcg10", "loss"]).default("ndcg10").describe(
    "what makes a checkpoint the best",
  ),
  patience: count(0).default(0).describe("stop after so many validations without a better one; 0: never"),
  saveSteps: count(0).default(0).describe("steps between checkpoints; 0: as --eval-steps"),
  saveTotalLimit: count(0).default(2).describe("checkpoints to keep, the best among them; 0: all"),
  reportTo: z.array(z.enum(REPORT_TO)).default(["none"]).describe("where metrics go besides metrics.jsonl"),
} satisfies { [K in keyof SftConfig]: z.ZodType<SftConfig[K]> };

/** {@link SftConfig} with its checks, defaults and the help of its flags. */
export const SftSchema = z.strictObject(fields);
