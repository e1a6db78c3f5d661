import { basename } from "node:path";
import { z } from "zod";
import type { Dataset } from "../data/dataset.ts";
import { readJson } from "../base/files/json_file.ts";
import { numbered } from "../base/json.ts";
import { loadDataset } from "../data/formats/load.ts";
import { diskFiles } from "../base/files/disk.ts";
import { RawIndex } from "../data/formats/schema.ts";
import { UserError } from "../base/user_error.ts";
import { BeamSearch } from "../decode/beam_search.ts";
import { DeviceTrie } from "../decode/device_trie.ts";
import type { Device } from "../kernels/gpu/device.ts";
import { TOKEN_NORMALISATIONS, type TokenNormalisation } from "../kernels/trie/log_softmax.ts";
import type { DecodeModel } from "../models/decoder/decode.ts";
import { CodeTokens } from "../prompts/code_tokens.ts";
import type { NextItemPrompts } from "../prompts/next_item.ts";
import { sidPrompts } from "../prompts/sids.ts";
import { SidVocabulary } from "../sid/tokens.ts";
import { buildTrie } from "../sid/trie.ts";
import { codeSizesOf, loadModel } from "./run/checkpoint.ts";
import { readRetrieval } from "./encoder_decoder/retrieval.ts";
import { isFile } from "../base/files/write_atomic.ts";
import { RunDirectory } from "./run/run_directory.ts";
import { trainedNormalisation } from "./sft/config.ts";
import { savedTextPrompts } from "./sft/text_inputs.ts";
import { loadInputs } from "./run/inputs.ts";

/** Items of a prompt where nothing tells: the default of the training. */
const MAX_HISTORY = 10;

/** Flags of the tasks that read a run directory, or the directory of a model. */
export const RunFlags = {
  run: z.string().describe("run directory, a checkpoint folder of one, or a Hugging Face directory"),
  data: z.string().default("").describe("dataset directory; without it, the one that the run was trained on"),
  sids: z.string().default("").describe(
    "index.json of a Hugging Face directory; without it, the SIDs that the dataset ships",
  ),
  prompts: z.string().default("").describe(
    "prompts.json of a Hugging Face directory; without it, the one in it, or the words of genrec",
  ),
  maxHistory: z.int().min(0).default(0).describe(
    `items of a prompt of a Hugging Face directory; 0: as trained where a run tells, else ${MAX_HISTORY}`,
  ),
  checkpoint: z.string().default("best").describe("best, latest or a name such as step-400"),
  normalisation: z.enum(["auto", ...TOKEN_NORMALISATIONS]).default("auto").describe(
    "what a token's probability is normalised over: the vocabulary, or the tokens that may follow; auto: as in " +
      "training, so children with a --trie-loss-weight, vocab without",
  ),
};

const RunConfig = z.looseObject({
  data: z.string(),
  maxHistory: z.int().min(1),
  maxLength: z.int().default(512),
  tasks: z.array(z.string()).default([]),
  category: z.string().default("items"),
  trieLossWeight: z.number().default(0),
  /** Of what RL made; other runs tell by their loss. */
  normalisation: z.enum(TOKEN_NORMALISATIONS).optional(),
});

/** How a model was trained to be asked. */
export type RunSettings = z.output<typeof RunConfig>;

/** What tells the tokens of a model apart, and its words: files that a run made from another one keeps. */
const DESCRIBING = [
  "vocabulary.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "prompts.json",
];

/** A trained model with the dataset that it ranks. */
export interface TrainedRun {
  directory: RunDirectory;
  /** Whether it is a Hugging Face directory: one model, without checkpoints. */
  isModel: boolean;
  /** Where `dataset` came from. */
  data: string;
  dataset: Dataset;
  /** SIDs that the model writes, one an item. */
  sids: string[][];
  /** File of `sids`; "" for those that the dataset ships. */
  index: string;
  /** How the model is asked for the next item. */
  prompts: NextItemPrompts;
  /** Items of a prompt. */
  maxHistory: number;
  /** What probabilities were normalised over in training. */
  normalisation: TokenNormalisation;
  /** How it was trained to be asked: `model.json` of a run that is made from it. */
  settings: RunSettings;
  /** Paths of its vocabulary, or tokenizer and templates. */
  describedBy: string[];
}

/** What only a Hugging Face directory needs; see {@link RunFlags}. */
export interface ModelSource {
  sids: string;
  prompts: string;
  maxHistory: number;
  /** Checkpoint whose index counts where each has its own. Default: `best`. */
  checkpoint?: string;
}

/**
 * Reads all of a run or a Hugging Face directory but its weights, and the dataset.
 * @throws {UserError} where they do not fit each other.
 */
export async function openRun(
  path: string,
  data: string,
  source: ModelSource = { sids: "", prompts: "", maxHistory: 0 },
): Promise<TrainedRun> {
  const directory = new RunDirectory(path);
  await directory.read("config.json");
  if (await isModel(path)) return await openModelDirectory(path, data, source);
  checkRunFlags(path, source);
  const config = await runSettings(path);
  const dataset = await loadDataset(data || config.data);
  const weights = await directory.hasCheckpoint()
    ? (await modelFolder({ directory, isModel: false }, source.checkpoint ?? "best")).folder
    : undefined;
  const codeSizes = weights && await codeSizesOf(weights);
  // Tokenizer and recommender that train together have another index at every checkpoint.
  const own = codeSizes && await isFile(`${weights}/index.json`) ? weights : path;
  const index = `${own}/index.json`;
  const record = await readJson(index, RawIndex);
  const indexed = Object.keys(record).length;
  if (indexed !== dataset.items.length) {
    throw new UserError(
      `Cannot use run ${path} with ${
        data || config.data
      }: the run has SIDs of ${indexed} items, the dataset ` +
        `${dataset.items.length}, expected as many. The run was trained on --data ${config.data}`,
    );
  }
  const sids = numbered(record, index);
  const { maxHistory } = config;
  // A run on text keeps its tokenizer and templates, one on SIDs alone its vocabulary or, with a table a level, none.
  const prompts = codeSizes
    ? codeTokens(sids, codeSizes, maxHistory, weights!)
    : await isFile(`${path}/tokenizer.json`)
    ? await savedTextPrompts(dataset, sids, path, { ...config, prompts: `${path}/prompts.json` }, diskFiles)
    : sidPrompts(await readVocabulary(path, sids, path), sids, maxHistory);
  return {
    directory,
    isModel: false,
    data: data || config.data,
    dataset,
    sids,
    index,
    prompts,
    maxHistory,
    normalisation: config.normalisation ?? trainedNormalisation(config),
    settings: config,
    describedBy: await existing(DESCRIBING.map((name) => `${path}/${name}`)),
  };
}

/** Settings of a run: those of the run that it was made from, where it has changed weights alone. */
async function runSettings(path: string): Promise<RunSettings> {
  const inherited = `${path}/model.json`;
  return await readJson(await isFile(inherited) ? inherited : `${path}/config.json`, RunConfig);
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map(isFile));
  return paths.filter((_, i) => found[i]);
}

/** Whether the config.json of a folder is a model's. */
async function isModel(path: string): Promise<boolean> {
  const config = await readJson(`${path}/config.json`, z.looseObject({}));
  return config.model_type !== undefined;
}

function checkRunFlags(run: string, { sids, prompts, maxHistory }: ModelSource): void {
  const flag = sids ? "--sids" : prompts ? "--prompts" : maxHistory ? "--max-history" : undefined;
  if (flag === undefined) return;
  throw new UserError(
    `Cannot use ${flag} with run ${run}: a run is asked as it was trained, by what its directory keeps. ` +
      `Leave out ${flag}, or name one of its checkpoint folders with --run`,
  );
}

// A checkpoint folder of a run takes what it lacks from the run.
async function openModelDirectory(
  folder: string,
  givenData: string,
  source: ModelSource,
): Promise<TrainedRun> {
  const path = folder.replace(/(?<=.)\/+$/, "");
  const parent = /^(.+)\/checkpoints\/[^/]+$/.exec(path)?.[1];
  const home = parent !== undefined && await isFile(`${parent}/config.json`) && !await isModel(parent)
    ? parent
    : undefined;
  const config = home === undefined
    ? RunConfig.parse({
      data: "",
      maxHistory: MAX_HISTORY,
      ...await isFile(`${path}/retrieval.json`) && await readRetrieval(path),
    })
    : await runSettings(home);
  const data = givenData || config.data;
  if (data === "") {
    throw new UserError(
      `Cannot use ${path} without a dataset: it is a model, and no run tells which one. Name it with --data`,
    );
  }
  const folderOf = async (name: string) => {
    if (await isFile(`${path}/${name}`)) return path;
    return home !== undefined && await isFile(`${home}/${name}`) ? home : undefined;
  };
  const fileOf = async (name: string) => {
    const folder = await folderOf(name);
    return folder === undefined ? "" : `${folder}/${name}`;
  };
  const { dataset, sids, sidsFile = "" } = await loadInputs(data, source.sids || await fileOf("index.json"));
  const maxHistory = source.maxHistory || config.maxHistory;
  return {
    directory: new RunDirectory(path),
    isModel: true,
    data,
    dataset,
    sids,
    index: sidsFile,
    prompts: await modelPrompts(),
    maxHistory,
    normalisation: config.normalisation ?? trainedNormalisation(config),
    settings: { ...config, data, maxHistory },
    describedBy: (await Promise.all(DESCRIBING.map(fileOf))).filter((file) => file !== ""),
  };

  async function modelPrompts(): Promise<NextItemPrompts> {
    const codeSizes = await codeSizesOf(path);
    if (codeSizes) return codeTokens(sids, codeSizes, maxHistory, path);
    if (await isFile(`${path}/tokenizer.json`)) {
      const settings = { ...config, maxHistory, prompts: source.prompts || await fileOf("prompts.json") };
      return await savedTextPrompts(dataset, sids, path, settings, diskFiles);
    }
    const folder = await folderOf("vocabulary.json");
    if (folder !== undefined) return sidPrompts(await readVocabulary(folder, sids, path), sids, maxHistory);
    throw new UserError(
      `Cannot use ${path}: it has neither a tokenizer.json nor a vocabulary.json, expected one of them to tell which ` +
        "token is which. Copy the one of its training into it",
    );
  }
}

/** The vocabulary.json in `folder`. Throws {@link UserError} unless it is that of `sids`, naming `path`. */
async function readVocabulary(folder: string, sids: string[][], path: string): Promise<SidVocabulary> {
  const vocabulary = SidVocabulary.fromJSON(await new RunDirectory(folder).readJson("vocabulary.json"));
  checkVocabulary(vocabulary, sids, path);
  return vocabulary;
}

/** Token ids of a model with a table for each level. Throws {@link UserError} where they do not fit, naming `path`. */
function codeTokens(
  sids: string[][],
  sizes: readonly number[],
  maxHistory: number,
  path: string,
): CodeTokens {
  const longest = sids.reduce((most, sid) => Math.max(most, sid.length), 0);
  // Of tables for items of equal codes, none may be in use.
  if (longest <= sizes.length) return CodeTokens.fromSids(sids, { sizes, maxHistory });
  throw new UserError(
    `Cannot use ${path} with SIDs of ${longest} tokens: the model has tables for ${sizes.length}, expected no more. ` +
      "Use the index.json that the model was trained with",
  );
}

/** Folder and name of the weights that `--checkpoint` means. Throws {@link UserError} where there are none. */
export async function modelFolder(
  { directory, isModel }: Pick<TrainedRun, "directory" | "isModel">,
  which: string,
): Promise<{ folder: string; checkpoint: string }> {
  const { path } = directory;
  if (isModel) {
    if (which === "best" || which === basename(path)) return { folder: path, checkpoint: basename(path) };
    throw new UserError(
      `Cannot use checkpoint ${which} of ${path}: it is a model by itself. Leave out --checkpoint`,
    );
  }
  if (!await directory.hasCheckpoint()) {
    throw new UserError(`Cannot use run ${path}: it has no checkpoint yet. Go on with its training first`);
  }
  // `best` is the latest one where the run was never validated.
  const folder = await directory.checkpoint(
    which === "best" && !await isFile(`${path}/best`) ? "latest" : which,
  );
  const checkpoint = basename(folder);
  const kept: string[] = await Array.fromAsync(Deno.readDir(`${path}/checkpoints`), ({ name }) => name)
    .catch(() => []);
  if (!kept.includes(checkpoint)) {
    throw new UserError(
      `Cannot use checkpoint ${checkpoint} of run ${path}: it has ${kept.sort().join(", ") || "none"}`,
    );
  }
  return { folder, checkpoint };
}

/** Loads a checkpoint of a run. */
export async function openModel(
  device: Device,
  run: TrainedRun,
  which: string,
): Promise<{ model: DecodeModel; checkpoint: string }> {
  const { folder, checkpoint } = await modelFolder(run, which);
  const model = await loadModel(device, folder);
  // Pretrained models have rows to spare.
  if (model.vocabulary < run.prompts.vocabulary) {
    throw new UserError(
      `Cannot use ${folder}: the model has ${model.vocabulary} tokens, ${run.directory.path} has ` +
        `${run.prompts.vocabulary}, expected as many. Use a checkpoint of this run`,
    );
  }
  return { model, checkpoint };
}

/** The run's catalogue to search, or `items` of it. */
export function openTrie(device: Device, run: TrainedRun, items?: readonly number[]): DeviceTrie {
  return new DeviceTrie(device, buildTrie(run.prompts.itemTokens, items));
}

/** Beam search over a run's catalogue. Without a normalisation, that of the training. */
export function openSearch(
  device: Device,
  run: TrainedRun,
  model: DecodeModel,
  trie: DeviceTrie,
  { beams, normalisation }: { beams: number; normalisation: TokenNormalisation | "auto" },
): BeamSearch {
  return new BeamSearch(device, model, trie, { beams, normalisation: resolved(run, normalisation) });
}

/** The normalisation that a flag means for a run. */
export function resolved(run: TrainedRun, normalisation: TokenNormalisation | "auto"): TokenNormalisation {
  return normalisation === "auto" ? run.normalisation : normalisation;
}

// A token id is a place in the sorted list of tokens: another list gives every id another meaning.
function checkVocabulary(vocabulary: SidVocabulary, sids: string[][], path: string): void {
  const expected = vocabulary.toJSON().sidTokens;
  const found = SidVocabulary.fromSids(sids).toJSON().sidTokens;
  if (expected.length === found.length && expected.every((token, i) => token === found[i])) return;
  const at = expected.findIndex((token, i) => token !== found[i]);
  throw new UserError(
    `Cannot use ${path}: the index has ${found.length} tokens, vocabulary.json ${expected.length}; they differ ` +
      `first at ${found[at] ?? found[expected.length] ?? "none"} and ${expected[at] ?? "none"}. ` +
      "Use the index.json that the model was trained with",
  );
}
