import { z } from "zod";
import type { Dataset } from "../data/dataset.ts";
import { readJson } from "../data/json_file.ts";
import { loadIndex } from "../data/index_file.ts";
import { loadDataset } from "../data/load.ts";
import { diskFiles } from "../data/read_files.ts";
import { RawIndex } from "../data/schema.ts";
import { UserError } from "../data/user_error.ts";
import { BeamSearch } from "../eval/beam_search.ts";
import { DeviceTrie } from "../eval/device_trie.ts";
import type { Device } from "../kernels/device.ts";
import { type Normalisation, NORMALISATIONS } from "../kernels/trie_log_softmax.ts";
import type { Decoder } from "../models/decoder.ts";
import type { NextItemPrompts } from "../sid/next_item_prompts.ts";
import { sidPrompts } from "../sid/prompt.ts";
import { SidVocabulary } from "../sid/tokens.ts";
import { buildTrie } from "../sid/trie.ts";
import { loadDecoder } from "../train/checkpoint.ts";
import { isFile, RunDirectory } from "../train/run_directory.ts";
import { trainedNormalisation } from "../train/sft_config.ts";
import { savedTextPrompts } from "../train/text_inputs.ts";

/** Flags of the tasks that read a run directory. */
export const RunFlags = {
  run: z.string().describe("run directory of `genrec sft`"),
  data: z.string().default("").describe("dataset directory; without it, the one that the run was trained on"),
  checkpoint: z.string().default("best").describe("best, latest or a name such as step-400"),
  normalisation: z.enum(["auto", ...NORMALISATIONS]).default("auto").describe(
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
});

/** A trained run with the dataset that it ranks. */
export interface TrainedRun {
  directory: RunDirectory;
  /** Where `dataset` came from. */
  data: string;
  dataset: Dataset;
  /** SIDs that the model writes, one an item. */
  sids: string[][];
  /** How the model is asked for the next item. */
  prompts: NextItemPrompts;
  /** Items of a prompt. */
  maxHistory: number;
  /** What probabilities were normalised over in training. */
  normalisation: Normalisation;
}

/** Reads all of a run but its weights, and the dataset. Throws {@link UserError} where they do not fit each other. */
export async function openRun(path: string, data: string): Promise<TrainedRun> {
  const directory = new RunDirectory(path);
  await directory.read("config.json");
  const config = await readJson(`${path}/config.json`, RunConfig);
  const dataset = await loadDataset(data || config.data);
  const indexPath = `${path}/index.json`;
  const indexed = Object.keys(await readJson(indexPath, RawIndex)).length;
  if (indexed !== dataset.items.length) {
    throw new UserError(
      `Cannot use run ${path} with ${
        data || config.data
      }: the run has SIDs of ${indexed} items, the dataset ` +
        `${dataset.items.length}, expected as many. The run was trained on --data ${config.data}`,
    );
  }
  const sids = await loadIndex(indexPath, indexed);
  return {
    directory,
    data: data || config.data,
    dataset,
    sids,
    prompts: await runPrompts(directory, dataset, sids, config),
    maxHistory: config.maxHistory,
    normalisation: trainedNormalisation(config),
  };
}

// A run on text keeps its tokenizer and templates, one on SIDs alone its vocabulary.
async function runPrompts(
  directory: RunDirectory,
  dataset: Dataset,
  sids: string[][],
  { maxHistory, ...config }: z.output<typeof RunConfig>,
): Promise<NextItemPrompts> {
  const { path } = directory;
  if (await isFile(`${path}/tokenizer.json`)) {
    const settings = { ...config, maxHistory, prompts: `${path}/prompts.json` };
    return await savedTextPrompts(dataset, sids, path, settings, diskFiles);
  }
  const vocabulary = SidVocabulary.fromJSON(await directory.readJson("vocabulary.json"));
  checkVocabulary(vocabulary, sids, path);
  return sidPrompts(vocabulary, sids, maxHistory);
}

/** Loads a checkpoint of a run. `best` is the latest one where the run was never validated. */
export async function openModel(
  device: Device,
  run: TrainedRun,
  which: string,
): Promise<{ decoder: Decoder; checkpoint: string }> {
  const path = run.directory.path;
  const has = (name: string) => Deno.stat(`${path}/${name}`).then(() => true, () => false);
  if (!await has("latest")) {
    throw new UserError(`Cannot use run ${path}: it has no checkpoint yet. Go on with its training first`);
  }
  const folder = await run.directory.checkpoint(which === "best" && !await has("best") ? "latest" : which);
  const name = folder.split("/").at(-1)!;
  const kept = await Array.fromAsync(Deno.readDir(`${path}/checkpoints`), ({ name }) => name);
  if (!kept.includes(name)) {
    throw new UserError(`Cannot use checkpoint ${name} of run ${path}: it has ${kept.sort().join(", ")}`);
  }
  const decoder = await loadDecoder(device, folder);
  // Pretrained models have rows to spare.
  if (decoder.vocabulary < run.prompts.vocabulary) {
    throw new UserError(
      `Cannot use ${folder}: the model has ${decoder.vocabulary} tokens, ${path} has ${run.prompts.vocabulary}, ` +
        "expected as many. Use a checkpoint of this run",
    );
  }
  return { decoder, checkpoint: name };
}

/** Beam search over the run's catalogue, or over `items` of it. Without a normalisation, that of the training. */
export function openSearch(
  device: Device,
  run: TrainedRun,
  decoder: Decoder,
  { beams, normalisation, items }: {
    beams: number;
    normalisation: Normalisation | "auto";
    items?: readonly number[];
  },
): BeamSearch {
  const trie = new DeviceTrie(device, buildTrie(run.prompts.itemTokens, items));
  return new BeamSearch(device, decoder, trie, { beams, normalisation: resolved(run, normalisation) });
}

/** The normalisation that a flag means for a run. */
export function resolved(run: TrainedRun, normalisation: Normalisation | "auto"): Normalisation {
  return normalisation === "auto" ? run.normalisation : normalisation;
}

// A token id is a place in the sorted list of tokens: another list gives every id another meaning.
function checkVocabulary(vocabulary: SidVocabulary, sids: string[][], path: string): void {
  const expected = vocabulary.toJSON().sidTokens;
  const found = SidVocabulary.fromSids(sids).toJSON().sidTokens;
  if (expected.length === found.length && expected.every((token, i) => token === found[i])) return;
  const at = expected.findIndex((token, i) => token !== found[i]);
  throw new UserError(
    `Cannot use run ${path}: index.json has ${found.length} tokens, vocabulary.json ${expected.length}; they differ ` +
      `first at ${found[at] ?? found[expected.length] ?? "none"} and ${expected[at] ?? "none"}. ` +
      "Put back the index.json that the run was trained with",
  );
}
