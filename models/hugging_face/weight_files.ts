import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { UserError } from "../../base/user_error.ts";
import type { ReadFiles } from "../../base/files/disk.ts";
import { readFileHeader, type TensorEntry } from "../safetensors/header.ts";

/** What loading a model reads. */
export type ModelFiles = Pick<ReadFiles, "readFile" | "readRange" | "fileSize" | "listFiles">;

/** Where a tensor is. */
export type TensorPlace = TensorEntry & { path: string };

/** Weights in one file. */
export const SINGLE = "model.safetensors";
/** Where weights in several files are. */
export const SHARDED = "model.safetensors.index.json";

/** What an adapter of PEFT is told by. */
export const ADAPTER_CONFIG = "adapter_config.json";
// What torch.save() writes: a program for Python's pickle, not only numbers.
const PICKLED = /^(pytorch_model|model)(-\d+-of-\d+)?\.(bin|pt|pth)$|^consolidated\.\d+\.pth$/;
const GGUF = /\.gguf$/i;

const ShardIndex = z.looseObject({ weight_map: z.record(z.string(), z.string()) });
const AdapterConfig = z.looseObject({ base_model_name_or_path: z.string().nullish() });

/**
 * Throws `UserError` unless a folder holds config and weights of a whole model: one file where there is one, else shards
 * and their index, as transformers chooses. What stands there instead or beside is named with a way on.
 */
export async function checkModelFolder(folder: string, files: ModelFiles): Promise<void> {
  const names = await files.listFiles(folder);
  const fail = (problem: string): never => {
    throw new UserError(`Cannot load a model from ${folder}: ${problem}`);
  };
  // Beside the weights it is applied.
  if (names.includes(ADAPTER_CONFIG) && !names.includes("config.json")) {
    fail(await adapterProblem(folder, files));
  }
  const expected =
    `Expected a Hugging Face directory with config.json and ${SINGLE}, or shards and ${SHARDED}`;
  if (!names.includes("config.json")) fail(`it has no config.json. ${expected}`);
  if (names.includes(SINGLE) || names.includes(SHARDED)) return;
  const pickled = names.find((name) => PICKLED.test(name));
  if (pickled !== undefined) {
    fail(
      `its weights are in ${pickled}, in Python's pickle format, and it has no ${SINGLE}. Save them as safetensors: ` +
        "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW) of Hugging Face transformers writes them",
    );
  }
  const gguf = names.find((name) => GGUF.test(name));
  if (gguf !== undefined) {
    fail(`its weights are in ${gguf}, a GGUF file. Name the file itself, ${folder}/${gguf}`);
  }
  const others = names.filter((name) => name.endsWith(".safetensors"));
  if (others.length > 0) {
    fail(
      `it has ${
        others.slice(0, 3).join(", ")
      }, but neither ${SINGLE} nor ${SHARDED}, which says what is in which ` +
        `file. Fetch the directory again, or rename the file if it is the whole model`,
    );
  }
  fail(`it has no ${SINGLE}. ${expected}`);
}

/** Every tensor of a folder that {@link checkModelFolder} passed. Throws `UserError` for damaged or missing files. */
export async function readPlaces(folder: string, files: ModelFiles): Promise<Map<string, TensorPlace>> {
  const names = await files.listFiles(folder);
  const tensors = new Map<string, TensorPlace>();
  // A whole file counts before an index, which an earlier upload may have left behind.
  if (names.includes(SINGLE)) {
    for (const place of await placesOf(`${folder}/${SINGLE}`, files)) tensors.set(place.name, place);
    return tensors;
  }
  const shards = await readShardIndex(`${folder}/${SHARDED}`, files);
  const missing = [...new Set(shards.values())].filter((shard) => !names.includes(shard));
  if (missing.length > 0) {
    throw new UserError(
      `Cannot load a model from ${folder}: it has no ${
        missing[0]
      }, one of ${missing.length} files that ${SHARDED} ` +
        "names and that are missing. Fetch the directory again",
    );
  }
  for (const shard of new Set(shards.values())) {
    for (const place of await placesOf(`${folder}/${shard}`, files)) {
      if (shards.get(place.name) === shard) tensors.set(place.name, place);
    }
  }
  const lost = [...shards].find(([name]) => !tensors.has(name));
  if (lost) {
    throw new UserError(
      `Cannot load a model from ${folder}: ${SHARDED} says that tensor ${lost[0]} is in ${lost[1]}, ` +
        `which does not have it. Fetch the directory again`,
    );
  }
  return tensors;
}

/** The model that an adapter of PEFT was made for, as its `adapter_config.json` names it; "" where it does not. */
export function baseModelOf(text: string, path: string): string {
  return parseJson(text, path, AdapterConfig).base_model_name_or_path ?? "";
}

/** What a folder with an adapter of PEFT alone is. */
async function adapterProblem(folder: string, files: ModelFiles): Promise<string> {
  const path = `${folder}/${ADAPTER_CONFIG}`;
  const text = new TextDecoder().decode(await files.readFile(path));
  const base = baseModelOf(text, path) || "a base model that it does not name";
  return `it is a PEFT adapter of ${base}, not a model. Put it beside the weights of that model, or merge it with PEFT ` +
    "first: AutoPeftModelForCausalLM.from_pretrained(DIR).merge_and_unload().save_pretrained(NEW), and save the tokenizer there too";
}

async function placesOf(path: string, files: ModelFiles): Promise<TensorPlace[]> {
  const { entries } = await readFileHeader(path, files);
  return entries.map((entry) => ({ ...entry, path }));
}

async function readShardIndex(path: string, files: ModelFiles): Promise<Map<string, string>> {
  const text = new TextDecoder().decode(await files.readFile(path));
  return new Map(Object.entries(parseJson(text, path, ShardIndex).weight_map));
}
