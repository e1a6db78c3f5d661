import { diskFiles } from "../../base/files/disk.ts";
import { loadIndex } from "../../data/formats/index_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import type { NextItemPrompts } from "../../prompts/next_item.ts";
import { sidPrompts } from "../../prompts/sids.ts";
import { readRetrieval } from "../encoder_decoder/retrieval.ts";
import { architectureOf, codeSizesOf } from "../run/checkpoint.ts";
import { loadInputs } from "../run/inputs.ts";
import { savedTextPrompts } from "../sft/text_inputs.ts";
import { baselineRun } from "./baseline_run.ts";
import { onlyCheckpoint } from "./checkpoints.ts";
import { rankRun } from "../rank/recommender.ts";
import { isModel, type RunFolder } from "./run_folder.ts";
import { runDataset, runSids } from "./run_dataset.ts";
import type { OpenRunOptions, RunKind } from "./run_kind.ts";
import {
  checkTask,
  codeTokens,
  DESCRIBING,
  modelSettings,
  normalisationOf,
  readVocabulary,
  runSettings,
  type SidRun,
} from "./sid_model.ts";
import { sidRecommender } from "./sid_recommender.ts";

/** Items of a prompt where nothing tells: the default of the training. */
export const USUAL_MAX_HISTORY = 10;

/** One model by itself: a checkpoint folder of a run, or a Hugging Face directory. */
export const modelDirectory: RunKind = {
  name: "model directory",
  summary: "a checkpoint folder of a run, or a Hugging Face directory of a model",
  matches: (folder) => isModel(folder) && !baselineRun.matches(folder) && !rankRun.matches(folder),
  open: async (folder, options) => sidRecommender(await openModelDirectory(folder, options), options),
  openSids: openModelDirectory,
};

// A checkpoint folder of a run takes what it lacks from the run.
async function openModelDirectory(home: RunFolder, options: OpenRunOptions): Promise<SidRun> {
  const { path } = home;
  const around = home.home?.path;
  const settings = around === undefined
    ? modelSettings({
      data: "",
      maxHistory: USUAL_MAX_HISTORY,
      ...await isFile(`${path}/retrieval.json`) && await readRetrieval(path),
    })
    : await runSettings(around);
  const data = options.data || options.dataset?.name || settings.data;
  if (data === "") {
    throw new UserError(
      `Cannot use ${path} without a dataset: it is a model, and no run tells which one. Name it with --data`,
    );
  }
  const folderOf = async (name: string) => {
    if (await isFile(`${path}/${name}`)) return path;
    return around !== undefined && await isFile(`${around}/${name}`) ? around : undefined;
  };
  const fileOf = async (name: string) => {
    const folder = await folderOf(name);
    return folder === undefined ? "" : `${folder}/${name}`;
  };
  const index = options.sids || await fileOf("index.json");
  const { dataset: loaded, order } = await runDataset(
    home,
    data,
    { dataset: options.dataset },
    settings.data,
  );
  const isOwn = index !== "" && !options.sids;
  const { dataset, sids: found, sidsFile = "" } = isOwn
    ? { dataset: loaded, sids: await loadIndex(index, loaded.items.length), sidsFile: index }
    : await loadInputs(data, index, loaded);
  const sids = await runSids(home, found, sidsFile || data, { order, isOwn });
  const maxHistory = options.maxHistory || settings.maxHistory;
  const prompts = await modelPrompts();
  checkTask(path, prompts, options.task);
  return {
    kind: modelDirectory.name,
    home,
    weights: onlyCheckpoint(path, options.checkpoint ?? "best"),
    model: await architectureOf(path),
    data,
    dataset,
    sids,
    index: sidsFile,
    prompts,
    maxHistory,
    normalisation: normalisationOf(options.normalisation, settings),
    settings: { ...settings, data, maxHistory },
    describedBy: (await Promise.all(DESCRIBING.map(fileOf))).filter((file) => file !== ""),
  };

  async function modelPrompts(): Promise<NextItemPrompts> {
    const codeSizes = await codeSizesOf(path);
    if (codeSizes) return codeTokens(sids, codeSizes, maxHistory, path);
    if (await isFile(`${path}/tokenizer.json`)) {
      const templates = options.prompts || await fileOf("prompts.json");
      const { task, maxNewTokens } = options;
      const words = { ...settings, maxHistory, prompts: templates, task, maxNewTokens };
      return await savedTextPrompts(dataset, sids, path, words, diskFiles);
    }
    const folder = await folderOf("vocabulary.json");
    if (folder !== undefined) return sidPrompts(await readVocabulary(folder, sids, path), sids, maxHistory);
    throw new UserError(
      `Cannot use ${path}: it has neither a tokenizer.json nor a vocabulary.json, expected one of them to tell which ` +
        "token is which. Copy the one of its training into it",
    );
  }
}
