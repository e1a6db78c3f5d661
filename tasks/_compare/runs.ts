import { dirname, join } from "node:path";
import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { readJsonLines } from "../../base/files/json_lines.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import { readFileHeader, sizeOf } from "../../models/safetensors/header.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { taskDefaults } from "./defaults.ts";
import type { EvaluationFolder } from "../_evaluate/evaluation_folder.ts";

/** A setting as JSON. */
export interface SettingValue {
  value: string;
  /** Without the seed in names of files: folders named by seed are the same setting. */
  seedless: string;
}

/** Whether two runs that may differ in their seed have the same setting: a folder may hold the other's seed by chance. */
export function isSameSetting(a: SettingValue | undefined, b: SettingValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const parts = ({ value, seedless }: SettingValue) => [value, seedless].map((text) => text.split("/"));
  const [[values, seedless], [otherValues, otherSeedless]] = [parts(a), parts(b)];
  return values.length === otherValues.length &&
    values.every((value, i) => value === otherValues[i] || seedless[i] === otherSeedless[i]);
}

/** What a run directory says of what was evaluated. */
export interface RunFacts {
  path: string;
  /** Null of models by themselves, and of methods that draw nothing. */
  seed: number | null;
  /**
   * Settings of the run, and of the runs that it goes on from (`run.learningRate`), without seeds and places. What a run of
   * an older version does not tell is the default of its task.
   */
  settings: Record<string, SettingValue>;
  /** SHA-256 of the files of its dataset, by their name in it. */
  files: Record<string, string>;
  /** Name of the dataset; null of models by themselves. */
  dataset: string | null;
  adapter: string | null;
  /** Seconds, those of the runs that it goes on from among them; null where a log is missing. */
  trainingSeconds: number | null;
  /** Numbers of the model; null where there are no weights, or they are gone. */
  parameters: number | null;
}

const Config = z.looseObject({
  model_type: z.unknown().optional(),
  seed: z.int().optional(),
  data: z.string().default(""),
  run: z.string().default(""),
});
type Config = z.output<typeof Config>;

const Manifest = z.object({
  task: z.string().default(""),
  dataset: z.string(),
  adapter: z.string(),
  inputs: z.record(z.string(), z.string()),
});

const LogLine = z.looseObject({ seconds: z.number().optional() });

/** Where files lie, how a run was started and what it tells: none of it changes what is learned. */
const PLACES = [
  "seed",
  "data",
  "run",
  "out",
  "resume",
  "evaluate",
  "adapter",
  "variant",
  "tune",
  "dryRun",
  "reportTo",
  "wandbProject",
];

/** SIDs belong to a system; two of them on one dataset may have others. */
const isSids = (name: string) => /^index\b.*\.json$/.test(name);

/** Reads what the run directory of an evaluation tells. Throws {@link UserError} where it is missing or damaged. */
export async function readRun({ folder, metrics }: EvaluationFolder): Promise<RunFacts> {
  const path = await runFolder(folder, metrics.run);
  const config = await readJson(join(path, "config.json"), Config);
  if (config.model_type !== undefined) return await modelFacts(path, metrics.run);
  const manifest = await readJson(join(path, "manifest.json"), Manifest);
  return {
    path,
    seed: config.seed ?? null,
    settings: await settingsOf(config, manifest.task),
    files: await datasetFiles(path, config, manifest.inputs),
    dataset: manifest.dataset,
    adapter: manifest.adapter,
    trainingSeconds: await trainingSeconds(path, config),
    parameters: await parametersOf(await checkpointFolder(path, metrics.checkpoint)),
  };
}

/** The folder named in metrics.json, else the one that the evaluation lies in: runs are moved with what is in them. */
async function runFolder(evaluation: string, named: string): Promise<string> {
  const places = [runOf(named), named, dirname(join(evaluation, "."))];
  for (const place of places) {
    if (place !== undefined && await isFile(join(place, "config.json"))) return place;
  }
  throw new UserError(
    `Cannot compare ${evaluation}: its run ${named} has no config.json, expected the run directory that tells seed and ` +
      "settings. Start genrec in the folder where it was evaluated, or put the run back",
  );
}

/** The run of a checkpoint folder; undefined of other folders. */
function runOf(path: string): string | undefined {
  return /^(.+)\/checkpoints\/[^/]+\/*$/.exec(path)?.[1];
}

async function modelFacts(path: string, named: string): Promise<RunFacts> {
  return {
    path: named,
    seed: null,
    settings: {},
    files: {},
    dataset: null,
    adapter: null,
    trainingSeconds: null,
    parameters: await parametersOf(path),
  };
}

async function settingsOf(config: Config, task: string): Promise<Record<string, SettingValue>> {
  const { seed } = config;
  const told = { ...taskDefaults(task, config), ...config };
  const parent = await parentOf(config);
  // A run that is read tells more than its name.
  const isNamed = parent === undefined && config.run !== "";
  const places = isNamed ? PLACES.filter((key) => key !== "run") : PLACES;
  const place = seed === undefined ? undefined : new RegExp(`(?<!\\d)${seed}(?!\\d)`, "g");
  const own = Object.entries(told).filter(([key]) => !places.includes(key)).map(([key, value]) => {
    const text = JSON.stringify(value);
    const isPath = [value].flat().every((part) => typeof part === "string");
    return [key, { value: text, seedless: place && isPath ? text.replace(place, "SEED") : text }];
  });
  const inherited = parent === undefined ? {} : await settingsOf(parent.config, await taskOf(parent.path));
  const below = Object.entries(inherited).map(([key, value]) => [`run.${key}`, value]);
  return Object.fromEntries([...own, ...below]);
}

async function taskOf(run: string): Promise<string> {
  const path = join(run, "manifest.json");
  return await isFile(path)
    ? (await readJson(path, z.looseObject({ task: z.string().default("") }))).task
    : "";
}

/** The run that a run goes on from; undefined where there is none, it is gone, or it is a model by itself. */
async function parentOf({ run }: Config): Promise<{ path: string; config: Config } | undefined> {
  const parent = runOf(run) ?? run;
  if (parent === "" || !await isFile(join(parent, "config.json"))) return undefined;
  const config = await readJson(join(parent, "config.json"), Config);
  return config.model_type === undefined ? { path: parent, config } : undefined;
}

async function datasetFiles(path: string, config: Config, inputs: Record<string, string>) {
  const model = join(path, "model.json");
  const { data } = await isFile(model) ? await readJson(model, Config) : config;
  const folder = data.replace(/\/*$/, "/");
  return Object.fromEntries(
    Object.entries(inputs)
      .filter(([file]) => file.startsWith(folder))
      .map(([file, hash]) => [file.slice(folder.length), hash])
      .filter(([name]) => !isSids(name)),
  );
}

async function trainingSeconds(path: string, config: Config): Promise<number | null> {
  const log = join(path, "metrics.jsonl");
  if (!await isFile(log)) return null;
  let seconds: number | null = null;
  for await (const { value } of readJsonLines(log, LogLine)) seconds = value.seconds ?? seconds;
  if (config.run === "" || seconds === null) return seconds;
  const parent = await parentOf(config);
  if (parent === undefined) return await isFile(join(config.run, "config.json")) ? seconds : null;
  const before = await trainingSeconds(parent.path, parent.config);
  return before === null ? null : before + seconds;
}

/** Folder of the weights; baselines name no checkpoint, theirs is the best one. */
async function checkpointFolder(path: string, checkpoint: string): Promise<string> {
  const run = new RunDirectory(path);
  if (checkpoint !== "") return await run.checkpoint(checkpoint);
  for (const name of ["best", "latest"]) {
    if (await isFile(join(path, name))) return await run.checkpoint(name);
  }
  return path;
}

async function parametersOf(folder: string): Promise<number | null> {
  if (!await Deno.stat(folder).then(({ isDirectory }) => isDirectory, () => false)) return null;
  const weights = (await diskFiles.listFiles(folder)).filter((name) => /^model\b.*\.safetensors$/.test(name));
  if (weights.length === 0) return null;
  let parameters = 0;
  for (const name of weights) {
    const { entries } = await readFileHeader(join(folder, name), diskFiles);
    for (const { shape } of entries) parameters += sizeOf(shape);
  }
  return parameters;
}
