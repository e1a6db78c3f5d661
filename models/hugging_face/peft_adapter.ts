import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { UserError } from "../../base/user_error.ts";
import { isAdapterTensor, type Lora, LORA_TARGETS, type LoraOptions, peftName } from "../parameters/lora.ts";
import { partsOf } from "../parameters/parts.ts";
import { safetensorsPieces, type TensorPart, type TensorShape } from "../safetensors/safetensors.ts";
import type { SavedFile } from "./saved_file.ts";

/** What an exported adapter says beside its weights. */
export interface PeftOptions {
  /** Name or directory of the model below. */
  baseModel: string;
  /**
   * Weights of the model that the adapter replaces, under their names there: the tables of a vocabulary with new rows.
   * Both of them, `model.embed_tokens.weight` and `lm_head.weight`, even where the model ties them.
   */
  replaced?: readonly TensorShape[];
  /** Free text pairs of the file of weights. */
  metadata?: Readonly<Record<string, string>>;
}

const CONFIG = "adapter_config.json";

// What PEFT writes beside these changes nothing, or is refused below.
const PeftConfig = z.looseObject({
  peft_type: z.literal("LORA"),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).max(1).default(0),
  target_modules: z.union([z.array(z.string()).min(1), z.literal("all-linear")], {
    error: 'a list of modules or "all-linear", patterns are not supported',
  }),
  use_rslora: z.boolean().default(false),
});

/** Settings of PEFT that would change what an adapter computes, and what they are where they do not. */
const UNSUPPORTED: Record<string, readonly unknown[]> = {
  bias: ["none"],
  use_dora: [false],
  use_qalora: [false],
  fan_in_fan_out: [false],
  lora_bias: [false],
  rank_pattern: [],
  alpha_pattern: [],
  layers_to_transform: [],
  layer_replication: [],
  exclude_modules: [],
  target_parameters: [],
  trainable_token_indices: [],
};

/**
 * Settings of an adapter directory of Hugging Face's PEFT, from its `adapter_config.json`.
 * @throws {UserError} for another kind of adapter or a setting that is not supported, by name.
 */
export function readPeftConfig(text: string, path = CONFIG): LoraOptions {
  const config = parseJson(text, path, PeftConfig);
  for (const [key, harmless] of Object.entries(UNSUPPORTED)) {
    const value = config[key];
    if (value === undefined || value === null || harmless.includes(value)) continue;
    if (typeof value === "object" && Object.keys(value).length === 0) continue;
    throw new UserError(
      `Cannot use the adapter of ${path}: ${key} is ${JSON.stringify(value)}, which is not supported. ` +
        "Merge it with PEFT first",
    );
  }
  return {
    r: config.r,
    alpha: config.lora_alpha,
    dropout: config.lora_dropout,
    targetModules: config.target_modules === "all-linear" ? "all" : config.target_modules,
    rankStabilised: config.use_rslora,
  };
}

/**
 * Files of an adapter directory that Hugging Face's PEFT loads. `tensors` are the adapters under their names in
 * checkpoints and the weights that replace some of the model's, whole or in parts; they are read while the file is written.
 */
export function peftAdapterFiles(
  { options, specs }: Lora,
  tensors: AsyncIterable<TensorPart> | Iterable<TensorPart>,
  { baseModel, replaced = [], metadata = {} }: PeftOptions,
): SavedFile[] {
  const modules = replaced.map(({ name }) => name.split(".").at(-2)!);
  const config = {
    base_model_name_or_path: baseModel,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: options.alpha,
    lora_dropout: options.dropout,
    modules_to_save: modules.length > 0 ? modules : null,
    peft_type: "LORA",
    r: options.r,
    target_modules: options.targetModules === "all" ? LORA_TARGETS : options.targetModules,
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: options.rankStabilised,
  };
  const shapes = [
    ...specs.flatMap(partsOf),
    ...replaced.map(({ name, shape }) => ({ name: peftName(name), shape })),
  ];
  const parts = async function* () {
    for await (const part of tensors) {
      yield isAdapterTensor(part.name) ? part : { ...part, name: peftName(part.name) };
    }
  };
  return [
    { name: CONFIG, bytes: new TextEncoder().encode(JSON.stringify(config, null, 2) + "\n") },
    {
      name: "adapter_model.safetensors",
      bytes: safetensorsPieces(shapes, parts(), { metadata: { format: "pt", ...metadata } }),
    },
  ];
}
