import { didYouMean } from "../../base/did_you_mean.ts";
import { parseJson } from "../../base/json.ts";
import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import { OPTIM_NAMES } from "../../models/optimizer/rules/by_name.ts";
import type { ForeignConfig } from "../_cli/cli.ts";

/** What says that a file is LlamaFactory's: each of its training files has one of them. */
const MARKS = ["model_name_or_path", "finetuning_type", "stage"];

/** Keys that mean the same here under another name. */
const SAME: Readonly<Record<string, string>> = {
  model_name_or_path: "model",
  output_dir: "out",
  cutoff_len: "maxLength",
  learning_rate: "learningRate",
  num_train_epochs: "numTrainEpochs",
  weight_decay: "weightDecay",
  max_grad_norm: "maxGradNorm",
  adam_beta1: "adamBeta1",
  adam_beta2: "adamBeta2",
  adam_epsilon: "adamEpsilon",
  label_smoothing_factor: "labelSmoothing",
  seed: "seed",
  logging_steps: "loggingSteps",
  eval_steps: "evalSteps",
  save_steps: "saveSteps",
  save_total_limit: "saveTotalLimit",
  early_stopping_steps: "patience",
  gradient_checkpointing: "gradientCheckpointing",
};

/** What LlamaFactory does where a file says nothing, as far as it shapes the weights. */
const DEFAULTS = {
  mode: "tasks",
  tasks: ["rows"],
  // Without a template LlamaFactory takes that of the tokenizer.
  prompts: "chat",
  maxLength: 2048,
  learningRate: 5e-5,
  numTrainEpochs: 3,
  lrSchedulerType: "linear",
  warmupSteps: 0,
  weightDecay: 0,
  labelSmoothing: 0,
  dropout: 0,
  emaDecay: 0,
  metricForBestModel: "loss",
};
const BATCH_SIZE = 8, LORA_RANK = 8;

/** Keys without a counterpart that change nothing here: how the work is laid out on a machine, and what is always so. */
const WITHOUT_EFFECT = [
  ...[
    "add_tokens_list",
    "resize_vocab",
    "new_special_tokens_config",
    "trust_remote_code",
    "use_fast_tokenizer",
  ],
  ...[
    "deepspeed",
    "bf16",
    "fp16",
    "pure_bf16",
    "flash_attn",
    "ddp_timeout",
    "low_cpu_mem_usage",
    "cache_dir",
  ],
  ...["preprocessing_num_workers", "dataloader_num_workers", "dataloader_pin_memory", "overwrite_cache"],
  ...[
    "per_device_eval_batch_size",
    "packing",
    "neat_packing",
    "do_train",
    "do_eval",
    "eval_on_start",
  ],
  ...["load_best_model_at_end", "greater_is_better", "save_only_model", "overwrite_output_dir", "plot_loss"],
  ...["run_name", "logging_dir", "disable_tqdm", "remove_unused_columns", "push_to_hub", "hub_model_id"],
  ...[
    "include_num_input_tokens_seen",
    "enable_liger_kernel",
    "save_strategy",
    "logging_strategy",
    "logging_first_step",
  ],
];

/** Keys whose meaning is had in another way. */
const INSTEAD: Readonly<Record<string, string>> = {
  val_size: "The valid split of the dataset is measured: leave it out",
  interleave_probs: "Rows of all datasets are shuffled together: leave it out",
  freeze_trainable_layers: "Single layers cannot be trained alone: use finetuning_type full or lora",
  resume_from_checkpoint: "Leave it out, and go on with --resume and the config.json of the run",
  adapter_name_or_path: "Name a directory with the adapter beside its weights as model_name_or_path",
  quantization_bit: "Weights are trained in float32: leave it out",
  do_predict: "Use genrec evaluate",
  predict_with_generate: "Use genrec evaluate",
  train_on_prompt: "Answers alone have a loss: leave it out",
  mask_history: "Rows have one answer: leave it out",
  tokenized_path: "Rows are turned into tokens anew: leave it out",
};

const DatasetInfo = z.record(
  z.string(),
  z.looseObject({
    file_name: z.string().optional(),
    formatting: z.string().optional(),
    columns: z.record(z.string(), z.string()).optional(),
  }),
);
/** Fields of rows, by what LlamaFactory takes them for. */
const FIELDS: Readonly<Record<string, string>> = {
  prompt: "instruction",
  query: "input",
  response: "output",
  system: "system",
};

/**
 * The settings of `genrec sft` that a training file of LlamaFactory stands for, with its defaults where it says nothing;
 * undefined for any other file. Keys of ours may stand beside its own. The dataset is looked up in `dataset_info.json`
 * of `dataset_dir` (default: data), and is to be a directory as MIMIGenRec lays it out.
 * @throws {UserError} for a stage other than sft, a dataset that is none, and keys that it does not know, or that are had
 *   in another way.
 */
export function fromLlamaFactory(
  content: Readonly<Record<string, unknown>>,
  file: string,
  own: readonly string[],
): ForeignConfig | undefined {
  if (!MARKS.some((key) => key in content)) return undefined;
  const settings: Record<string, unknown> = { ...DEFAULTS };
  const unused: string[] = [];
  for (const [key, value] of Object.entries({ finetuning_type: "lora", ...content })) {
    if (Object.hasOwn(RULES, key)) Object.assign(settings, RULES[key](value, content, file));
    else if (own.includes(key)) settings[key] = value;
    else if (Object.hasOwn(SAME, key)) settings[SAME[key]] = value;
    else if (WITHOUT_EFFECT.includes(key)) unused.push(key);
    else throw unknownKey(key, value, file);
  }
  const { per_device_train_batch_size: rows = BATCH_SIZE, gradient_accumulation_steps: times = 1 } = content;
  if (!("batchSize" in content)) settings.batchSize = Number(rows) * Number(times);
  Object.assign(settings, datasetOf(content, file));
  if (!("tokensPerBatch" in content)) settings.tokensPerBatch = Math.max(2048, Number(settings.maxLength));
  return {
    settings,
    notes: [
      `Note: ${file} is read as a training file of LlamaFactory: tasks ${settings.tasks}, --prompts ${settings.prompts}, ` +
      `${settings.batchSize} rows a step, as on one device there`,
      ...(unused.length > 0 ? [`Note: these of its keys change nothing here: ${unused.join(", ")}`] : []),
    ],
  };
}

type Rule = (value: unknown, all: Readonly<Record<string, unknown>>, file: string) => Record<string, unknown>;

/** Keys that take more than another name. */
const RULES: Readonly<Record<string, Rule>> = {
  stage: (value, _all, file) => only("stage", value, ["sft"], file, "Reinforcement is genrec rl"),
  finetuning_type(value, { lora_rank: rank = LORA_RANK, lora_alpha: alpha = 2 * Number(rank) }, file) {
    const instead =
      "Use one of them. freeze trains the last layers there, which genrec cannot alone; leave the key out and " +
      "add freeze: llm to train the rows of new tokens alone";
    only("finetuning_type", value, ["full", "lora"], file, instead);
    return value === "full" ? {} : { loraR: rank, loraAlpha: alpha };
  },
  lora_rank: () => ({}),
  lora_alpha: () => ({}),
  lora_dropout: (value) => ({ loraDropout: value }),
  use_rslora: (value) => ({ useRslora: value }),
  lora_target: (value) => ({ loraTargetModules: listOf(value) }),
  max_steps: (value) => ({ maxSteps: Number(value) > 0 ? value : 0 }),
  max_samples(value, { dataset = "" }, file) {
    const { length } = listOf(dataset);
    if (length < 2) return { taskRows: [`rows=${value}`] };
    throw new UserError(
      `Cannot use max_samples ${value} of ${file}: it counts for each of ${length} datasets there. Use taskRows: ` +
        `[rows=${length * Number(value)}], which draws as many rows of all together`,
    );
  },
  // A number of steps goes before a share of them.
  warmup_steps: (value, { warmup_ratio: share }) => Number(value) > 0 || !share ? { warmupSteps: value } : {},
  warmup_ratio: (value, { warmup_steps: steps }) => Number(steps ?? 0) > 0 ? {} : { warmupSteps: value },
  mix_strategy: (value, _all, file) =>
    only(
      "mix_strategy",
      value,
      ["concat"],
      file,
      "Rows of all datasets are shuffled together, each once an epoch",
    ),
  lr_scheduler_type: (value) => ({ lrSchedulerType: value === "constant_with_warmup" ? "constant" : value }),
  // Fused and paged forms compute the same.
  optim(value, _all, file) {
    const name = String(value).replace(/^paged_|_fused$|_bnb(?=_8bit$)/g, "").replace(
      /^adamw_hf$/,
      "adamw_torch",
    );
    only("optim", name, OPTIM_NAMES, file, "Use one of them");
    return { optim: name };
  },
  eval_strategy: (value) => value === "no" ? { evalSamples: 0 } : value === "epoch" ? { evalSteps: 0 } : {},
  metric_for_best_model: (value, _all, file) =>
    only(
      "metric_for_best_model",
      value,
      ["loss", "eval_loss"],
      file,
      "Use loss, or --metric-for-best-model ndcg10",
    ),
  report_to: (value) => ({ reportTo: listOf(value) }),
  // The checkpoint has its own template: that of the same model there.
  template: () => ({}),
  per_device_train_batch_size: () => ({}),
  gradient_accumulation_steps: () => ({}),
  dataset: () => ({}),
  eval_dataset: () => ({}),
  dataset_dir: () => ({}),
};

function only(key: string, value: unknown, expected: readonly string[], file: string, instead: string) {
  if (expected.includes(String(value))) return {};
  throw new UserError(
    `Cannot use ${key} ${JSON.stringify(value)} of ${file}: expected ${expected.join(" or ")}. ${instead}`,
  );
}

function listOf(value: unknown): string[] {
  return (Array.isArray(value) ? value.map(String) : String(value).split(",")).map((name) => name.trim());
}

function unknownKey(key: string, value: unknown, file: string): UserError {
  const known = [...Object.keys(SAME), ...Object.keys(RULES), ...WITHOUT_EFFECT];
  const instead = Object.hasOwn(INSTEAD, key)
    ? INSTEAD[key]
    : `It is none of LlamaFactory's that genrec knows${
      didYouMean(key, known)
    }. Leave it out, or use a flag of genrec sft`;
  return new UserError(`Cannot use ${key} ${JSON.stringify(value)} of ${file}: ${instead}`);
}

/** The directory of the dataset that a file names. */
function datasetOf(
  { dataset, eval_dataset: measured, dataset_dir: folder = "data" }: Readonly<Record<string, unknown>>,
  file: string,
): { data?: string; rows?: string[] } {
  if (dataset === undefined) return {};
  const path = `${folder}/dataset_info.json`;
  const info = readInfo(path, file);
  const [first, ...more] = listOf(dataset);
  const data = directoryOf(first, "train", info, `${folder}`, { file, path });
  const found = more.length === 0
    ? { data }
    : { data, rows: [first, ...more].map((name) => rowsOf(name, info, `${folder}`, { file, path })) };
  if (measured === undefined) return found;
  const other = directoryOf(measured, "valid", info, `${folder}`, { file, path });
  if (other === data) return found;
  throw new UserError(
    `Cannot use eval_dataset ${
      JSON.stringify(measured)
    } of ${file}: it lies in ${other}, the train rows in ${data}. ` +
      "Keep both in one directory",
  );
}

function readInfo(path: string, file: string): z.output<typeof DatasetInfo> {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UserError(
      `Cannot look up the dataset of ${file}: ${path}: ${
        (error as Error).message
      }. Set dataset_dir, or leave dataset ` +
        "out and use --data",
    );
  }
  return parseJson(text, path, DatasetInfo);
}

/** Files that a message names. */
interface Named {
  /** The training file. */
  file: string;
  /** `dataset_info.json`. */
  path: string;
}

type Info = z.output<typeof DatasetInfo>;

/** The directory of a dataset whose rows lie where MIMIGenRec has them. */
function directoryOf(
  names: unknown,
  split: "train" | "valid",
  info: Info,
  folder: string,
  named: Named,
): string {
  const [name, ...more] = listOf(names);
  if (more.length > 0) throw badDataset(names, named, "it names several to measure. Name one");
  const rows = rowsOf(name, info, folder, named), end = `/sft/${split}.json`;
  if (rows.endsWith(end)) return rows.slice(0, -end.length);
  throw badDataset(
    names,
    named,
    `${named.path} has its rows in ${
      info[name].file_name
    }, expected DIR${end} beside DIR/id2sid.json, as MIMIGenRec lays ` +
      "it out. Move the file, and name its SIDs there; of several datasets the first one has them",
  );
}

function badDataset(name: unknown, { file }: Named, problem: string): UserError {
  return new UserError(`Cannot use dataset ${JSON.stringify(name)} of ${file}: ${problem}`);
}

/** The file of a dataset's rows, which are to have the fields of Alpaca. */
function rowsOf(name: string, info: Info, folder: string, named: Named): string {
  const { path } = named;
  const fail = (problem: string): never => {
    throw badDataset(name, named, problem);
  };
  const entry = Object.hasOwn(info, name) ? info[name] : undefined;
  if (entry === undefined) {
    return fail(
      `${path} has ${Object.keys(info).join(", ") || "none"}${didYouMean(name, Object.keys(info))}`,
    );
  }
  const { file_name: rows, formatting = "alpaca", columns = {} } = entry;
  if (formatting !== "alpaca") fail(`${path} has its rows as ${formatting}, expected alpaca`);
  for (const [role, field] of Object.entries(columns)) {
    if (FIELDS[role] === field) continue;
    fail(
      `${path} takes ${role} from column ${JSON.stringify(field)}, expected ${
        FIELDS[role] === undefined ? `columns ${Object.keys(FIELDS).join(", ")} alone` : FIELDS[role]
      }. Rename the column in its rows`,
    );
  }
  return rows === undefined ? fail(`${path} names no file_name of its rows. Add one`) : `${folder}/${rows}`;
}
