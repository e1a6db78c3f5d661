import { UserError } from "../../base/user_error.ts";
import type { TokenNormalisation } from "../../kernels/trie/trie_log_softmax.ts";
import type { ScheduleName } from "../../models/optimizer/schedule.ts";
import type { ReportTo } from "../observers/open_observers.ts";
import { SftSchema } from "./schema.ts";

/** Settings of supervised fine-tuning from scratch; names as in Hugging Face's TrainingArguments and model configs. */
export interface SftConfig {
  /**
   * `histories`: a user's whole train history is one sequence of SIDs with a loss at every item; `samples`: one such
   * row a target; `tasks`: rows of text in the words of a template, which is how language models are fine-tuned.
   * Default: `auto`, which is `tasks` where a pretrained model or a tokenizer is given and `histories` elsewhere.
   */
  mode: "auto" | "histories" | "samples" | "tasks";
  /** Hugging Face directory of the model to start from; "": a model from scratch. */
  model: string;
  /** Whether the directory in `model` gives architecture and tokenizer alone, and weights are fresh. Default: false. */
  fromScratch: boolean;
  /** Directory or tokenizer.json of a model from scratch that reads text; "": that of `model`, or SID tokens alone. */
  tokenizer: string;
  /**
   * Whether a model from scratch keeps only the tokens of its tokenizer that the training texts use, besides single
   * bytes: a fraction of the embedding. Default: false.
   */
  trimVocabulary: boolean;
  /** Uses in the training texts that keep a token when the vocabulary is trimmed. Default: 1. */
  trimMinCount: number;
  /** `tasks` mode: names of tasks, each with a weight such as `sid-to-title=0.5`, 1 where none stands. */
  tasks: string[];
  /** Template file of other prompts than ours; "": ours. */
  prompts: string;
  /** What `{category}` of a template stands for, such as "office products". Default: `items`. */
  category: string;
  /** JSON or JSONL file of user preferences, for the tasks that learn from them. */
  preferences: string;
  /** `tasks` mode: longest sequence in tokens. Default: 512. */
  maxLength: number;
  /**
   * What happens to longer ones: `truncate` drops the oldest items of the history, `skip` the sequence, `error` stops.
   * Default: `truncate`.
   */
  longSequences: "truncate" | "skip" | "error";
  /**
   * What a loss is the mean of: `token`: target tokens, so that long answers count more; `sample`: rows.
   * Default: `token`.
   */
  lossNormalisation: "token" | "sample";
  /** `tasks` mode: loss weight of the SIDs in the history of rows that ask for the next item; the answer has 1. Default: 0. */
  historyLossWeight: number;
  /** Whether rows weigh ln(1 + value) of the target (VAFT); needs values in the dataset. Default: false. */
  valueAware: boolean;
  /** Share of the loss of SID tokens that is a softmax over the trie node's children alone. Default: 0. */
  trieLossWeight: number;
  /** `llm`: only the rows of new tokens train; `none`: everything. Default: `none`. */
  freeze: "none" | "llm";
  /** Rank of the LoRA adapters, with which the model itself is frozen but for the rows of new tokens; 0: no LoRA. */
  loraR: number;
  /** LoRA's alpha: adapters are scaled by alpha / r. Default: 32. */
  loraAlpha: number;
  /** Dropout on the input of the adapters. Default: 0.05. */
  loraDropout: number;
  /** Projections with an adapter: `all`, or names such as q_proj. Default: `all`. */
  loraTargetModules: string[];
  /** Whether adapters are scaled by alpha / sqrt(r) (Kalajdzievski 2023). Default: false. */
  useRslora: boolean;
  /** Storage of matrices; `float16` needs a GPU and halves the memory of activations. Default: `float32`. */
  dtype: "float32" | "float16";
  /** Whether blocks are computed again in the backward pass instead of kept. Default: false. */
  gradientCheckpointing: boolean;
  /** Decoder family, as in Hugging Face's `config.json`. Default: `qwen3`. */
  modelType: "qwen2" | "qwen3" | "llama";
  /** Width C of the residual stream. Default: 128. */
  hiddenSize: number;
  /** Width of the gated feed-forward layer. Default: 384. */
  intermediateSize: number;
  /** Decoder blocks. Default: 4. */
  numHiddenLayers: number;
  /** Query heads; divides `hiddenSize`. Default: 4. */
  numAttentionHeads: number;
  /** Key-value heads; divides `numAttentionHeads`. Default: 4. */
  numKeyValueHeads: number;
  /** Whether the embedding is the output matrix too. Default: true. */
  tieWordEmbeddings: boolean;
  /** Standard deviation of fresh weights. Default: 0.05. */
  initializerRange: number;
  /** Items of a prompt, the latest ones. Default: 10. */
  maxHistory: number;
  /** `samples` mode: loss weight of history items; the target has 1. Default: 0.3. */
  historyWeight: number;
  /** `histories` mode: loss weight of the first item, predicted from no history. Default: 1. */
  firstItemWeight: number;
  /**
   * r weighs a target by exp(-r (1 - t)), t from 0 to 1 its time in the train period; needs samples in time order.
   * Default: 0.
   */
  recencyWeight: number;
  /** `histories` mode: histories of more items are cut in parts. Default: 50. */
  maxSequenceItems: number;
  /** Passes over the train split. Default: 20. */
  numTrainEpochs: number;
  /** Optimizer steps to stop after; 0: by epochs alone. Default: 0. */
  maxSteps: number;
  /** Packed tokens T of a micro batch. Default: 2048. */
  tokensPerBatch: number;
  /** Micro batches of an optimizer step, where `batchSize` is 0. Default: 1. */
  gradientAccumulationSteps: number;
  /** Sequences of an optimizer step, in as many micro batches as they need; 0: see above. Default: 0. */
  batchSize: number;
  /** Peak learning rate. Default: 1.5e-3. */
  learningRate: number;
  /** Decay of the learning rate after warmup. Default: `cosine`. */
  lrSchedulerType: ScheduleName;
  /** Optimizer steps of linear warmup. Default: 100. */
  warmupSteps: number;
  /** Share of the peak at which the decay ends. Default: 0. */
  minLearningRateRatio: number;
  /** Decoupled weight decay, on matrices only. Default: 0.01. */
  weightDecay: number;
  /** AdamW's decay of the mean gradient. Default: 0.9. */
  adamBeta1: number;
  /** AdamW's decay of the mean squared gradient. Default: 0.999. */
  adamBeta2: number;
  /** AdamW's epsilon. Default: 1e-8. */
  adamEpsilon: number;
  /** Largest global gradient norm; 0 never clips. Default: 1. */
  maxGradNorm: number;
  /** Target mass spread over the vocabulary. Default: 0.05. */
  labelSmoothing: number;
  /** Dropout rate on embeddings and block outputs. Default: 0.3. */
  dropout: number;
  /** Decay of the averaged weights, which are validated and saved; 0 keeps none. Default: 0.998. */
  emaDecay: number;
  /** Seed of weights, data order, dropout and the valid subsample. Default: 42. */
  seed: number;
  /** Optimizer steps between lines of `metrics.jsonl`. Default: 20. */
  loggingSteps: number;
  /** Optimizer steps between validations; 0: after each epoch. Default: 0. */
  evalSteps: number;
  /** Valid samples of a validation; 0: no validation. Default: 500. */
  evalSamples: number;
  /** Beams of a validation. Default: 20. */
  evalBeams: number;
  /** What makes a checkpoint the best: NDCG@10 or the loss of the validation. Default: `ndcg10`. */
  metricForBestModel: "ndcg10" | "loss";
  /** Validations without a better one to stop after; 0: never. Default: 0. */
  patience: number;
  /**
   * Optimizer steps between checkpoints, besides those of better validations and the last; 0: as `evalSteps`.
   * Default: 0.
   */
  saveSteps: number;
  /** Checkpoints to keep, the latest ones, and the best whatever its age; 0 keeps all. Default: 2. */
  saveTotalLimit: number;
  /** Where metrics go besides `metrics.jsonl`. Default: `none`. */
  reportTo: ReportTo[];
}

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
