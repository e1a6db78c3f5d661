// Generated from the schemas by `deno task codegen`: change those, not this file.
import type { ModelType } from "../../models/decoder/shapes/by_name.ts";
import type { OptimName } from "../../models/optimizer/rules/by_name.ts";
import type { ReportTo } from "../observers/open.ts";
import type { ScheduleName } from "../../models/optimizer/schedule.ts";

/** Settings of supervised fine-tuning; names as in Hugging Face's TrainingArguments and model configs. */
export interface SftConfig {
  /**
   * histories: a user's whole train history as one sequence of SIDs with a loss at every item; samples: one
   * such row a target; tasks: rows of text; auto: tasks with --model or --tokenizer, histories without.
   * @default "auto"
   */
  mode: "auto" | "histories" | "samples" | "tasks";
  /**
   * Tasks mode: names, each with a weight such as sid-to-title=0.5.
   * @default ["next-item","sid-to-title","title-to-sid","history-to-title"]
   */
  tasks: string[];
  /**
   * Template file of other words, `genrec`: ours, or `chat`: ours in the chat template of the model;
   * without it, those of the run that --model names, else ours.
   * @default ""
   */
  prompts: string;
  /**
   * What {category} of a template stands for.
   * @default "items"
   */
  category: string;
  /**
   * JSON or JSONL of user preferences, for the tasks that need them.
   * @default ""
   */
  preferences: string;
  /**
   * Tasks mode: files of rows for task rows, one after another; without them, sft/train.json of the
   * dataset.
   * @default []
   */
  rows: string[];
  /**
   * Tasks mode: most rows of tasks, drawn by the seed, such as titles-to-sid=10000; none: all.
   * @default []
   */
  taskRows: string[];
  /**
   * Tasks mode: longer titles are cut.
   * @default 64
   */
  maxTitleTokens: number;
  /**
   * Tasks mode: longer descriptions are cut.
   * @default 128
   */
  maxDescriptionTokens: number;
  /**
   * Tasks mode: longest sequence in tokens.
   * @default 512
   */
  maxLength: number;
  /**
   * Longer sequences: drop the oldest items of the history, leave them out, or stop.
   * @default "truncate"
   */
  longSequences: "truncate" | "skip" | "error";
  /** Mean over target tokens, or over rows (default: token, with --value-aware sample). */
  lossNormalisation?: "token" | "sample";
  /**
   * Tasks mode: loss weight of the SIDs in the history of next-item rows; the answer has 1.
   * @default 0
   */
  historyLossWeight: number;
  /**
   * Rows weigh ln(1 + value) of the target (VAFT).
   * @default false
   */
  valueAware: boolean;
  /**
   * Items of a prompt, the latest ones.
   * @default 10
   */
  maxHistory: number;
  /**
   * Samples mode: loss weight of history items, the target has 1.
   * @default 0.3
   */
  historyWeight: number;
  /**
   * Histories mode: loss weight of the first item.
   * @default 1
   */
  firstItemWeight: number;
  /**
   * R weighs a target by exp(-r (1 - t)), t from 0 to 1 its time in the train period; needs samples in time
   * order.
   * @default 0
   */
  recencyWeight: number;
  /**
   * Histories mode: longer histories are cut in parts.
   * @default 50
   */
  maxSequenceItems: number;
  /**
   * Hugging Face directory to start from, run of sft, or .gguf file.
   * @default ""
   */
  model: string;
  /**
   * Take architecture and tokenizer of --model, no weights.
   * @default false
   */
  fromScratch: boolean;
  /**
   * Tokenizer.json, or its directory, of a model from scratch.
   * @default ""
   */
  tokenizer: string;
  /**
   * Keep only the tokens that the training texts use, of a pretrained model their rows.
   * @default false
   */
  trimVocabulary: boolean;
  /**
   * Uses that keep a token with --trim-vocabulary.
   * @default 1
   */
  trimMinCount: number;
  /**
   * Decoder family.
   * @default "qwen3"
   */
  modelType: ModelType;
  /**
   * Width of the residual stream.
   * @default 128
   */
  hiddenSize: number;
  /**
   * Width of the gated feed-forward layer.
   * @default 384
   */
  intermediateSize: number;
  /**
   * Decoder blocks.
   * @default 4
   */
  numHiddenLayers: number;
  /**
   * Query heads.
   * @default 4
   */
  numAttentionHeads: number;
  /**
   * Key-value heads.
   * @default 4
   */
  numKeyValueHeads: number;
  /**
   * Use the embedding as output matrix.
   * @default true
   */
  tieWordEmbeddings: boolean;
  /**
   * Standard deviation of fresh weights.
   * @default 0.05
   */
  initializerRange: number;
  /**
   * Share of the loss of SID tokens that is normalised over the tokens that may follow.
   * @default 0
   */
  trieLossWeight: number;
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
   * Passes over the train split.
   * @default 20
   */
  numTrainEpochs: number;
  /**
   * Stop after so many optimizer steps; 0: by epochs alone.
   * @default 0
   */
  maxSteps: number;
  /**
   * Packed tokens of a micro batch.
   * @default 2048
   */
  tokensPerBatch: number;
  /**
   * Micro batches of an optimizer step.
   * @default 1
   */
  gradientAccumulationSteps: number;
  /**
   * Sequences of an optimizer step, in as many micro batches as they need; 0:
   * --gradient-accumulation-steps.
   * @default 0
   */
  batchSize: number;
  /**
   * adafactor: second moments as means of rows and columns, no first ones; adamw_8bit: AdamW with moments
   * of eight bits in blocks of 256; adamw_torch: AdamW with moments in float32.
   * @default "adamw_torch"
   */
  optim: OptimName;
  /**
   * Peak learning rate.
   * @default 0.0015
   */
  learningRate: number;
  /**
   * Decay of the learning rate.
   * @default "cosine"
   */
  lrSchedulerType: ScheduleName;
  /**
   * Steps of linear warmup, or a share of all such as 0.03.
   * @default 100
   */
  warmupSteps: number;
  /**
   * Share of the peak at which the decay ends.
   * @default 0
   */
  minLearningRateRatio: number;
  /**
   * Decoupled weight decay on matrices.
   * @default 0.01
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
   * @default 1
   */
  maxGradNorm: number;
  /**
   * Target mass spread over the vocabulary.
   * @default 0.05
   */
  labelSmoothing: number;
  /**
   * Rate on embeddings and block outputs.
   * @default 0.3
   */
  dropout: number;
  /**
   * Decay of the averaged weights; 0 keeps none.
   * @default 0.998
   */
  emaDecay: number;
  /**
   * 1: each process keeps a share of the optimizer's moments (ZeRO); 0: all of them.
   * @default 0
   */
  zeroStage: number;
  /**
   * Seed of everything random.
   * @default 42
   */
  seed: number;
  /**
   * llm: only the rows of new tokens train.
   * @default "none"
   */
  freeze: "none" | "llm";
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
   * Dropout on the input of the adapters.
   * @default 0.05
   */
  loraDropout: number;
  /**
   * Projections with an adapter: all, or names such as q_proj.
   * @default ["all"]
   */
  loraTargetModules: string[];
  /**
   * Scale adapters by alpha / sqrt(r).
   * @default false
   */
  useRslora: boolean;
  /**
   * Steps between lines of metrics.jsonl.
   * @default 20
   */
  loggingSteps: number;
  /**
   * Steps between validations, or a share of all such as 0.05; 0: after each epoch.
   * @default 0
   */
  evalSteps: number;
  /**
   * Valid samples of a validation; 0: no validation.
   * @default 500
   */
  evalSamples: number;
  /**
   * Beams of a validation.
   * @default 20
   */
  evalBeams: number;
  /**
   * What makes a checkpoint the best.
   * @default "ndcg10"
   */
  metricForBestModel: "ndcg10" | "loss";
  /**
   * Stop after so many validations without a better one; 0: never.
   * @default 0
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
  /**
   * Number format of the weights in checkpoints; a resumed run goes on in float32 all the same.
   * @default "float32"
   */
  saveDtype: "float32" | "float16" | "bfloat16";
}
