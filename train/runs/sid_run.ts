import { diskFiles } from "../../base/files/disk.ts";
import { readJson } from "../../base/files/json_file.ts";
import { numbered } from "../../base/json.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { RawIndex } from "../../data/formats/schema.ts";
import { sidPrompts } from "../../prompts/sids.ts";
import { BASELINES } from "../baselines/by_name.ts";
import { architectureOf, codeSizesOf } from "../run/checkpoint.ts";
import { savedTextPrompts } from "../sft/text_inputs.ts";
import { checkpointOf } from "./checkpoints.ts";
import { isModel, type RunFolder } from "./run_folder.ts";
import { asOrdered } from "./catalogue/item_order.ts";
import { runDataset, runSids } from "./run_dataset.ts";
import type { OpenRunOptions, RunKind } from "./run_kind.ts";
import {
  checkTask,
  codeTokens,
  DESCRIBING,
  normalisationOf,
  readVocabulary,
  runSettings,
  type SidRun,
} from "./sid_model.ts";
import { sidRecommender } from "./sid_recommender.ts";

/** Runs whose model writes SIDs: decoders over words or SIDs, and encoder-decoders. */
export const sidRun: RunKind = {
  name: "SID run",
  summary:
    "a run directory of `genrec sft`, `genrec rl`, `genrec baseline --model tiger` or a stage of `genrec etegrec`",
  matches(folder) {
    const { names, config, manifest } = folder;
    // Runs that go on from another one keep its settings in model.json.
    const isRun = !isModel(folder) && (names.includes("model.json") || config.maxHistory !== undefined);
    return isRun && (manifest.task !== "etegrec" || config.stage !== undefined);
  },
  open: async (folder, options) => sidRecommender(await openRunDirectory(folder, options), options),
  openSids: openRunDirectory,
};

async function openRunDirectory(home: RunFolder, options: OpenRunOptions): Promise<SidRun> {
  const { path, given } = home;
  checkRunFlags(given, options);
  const settings = await runSettings(path);
  const weights = await checkpointOf(path, options.checkpoint ?? "best");
  const data = options.data || settings.data;
  const { dataset, order } = await runDataset(home, data, { dataset: options.dataset }, settings.data);
  const codeSizes = await codeSizesOf(weights.folder);
  // Tokenizer and recommender that train together have another index at every checkpoint.
  const own = codeSizes && await isFile(`${weights.folder}/index.json`) ? weights.folder : path;
  const index = `${own}/index.json`;
  const record = await readJson(index, RawIndex);
  const indexed = Object.keys(record).length;
  if (indexed !== dataset.items.length) {
    throw new UserError(
      `Cannot use run ${given} with ${data}: the run has SIDs of ${indexed} items, the dataset ` +
        `${dataset.items.length}, expected as many. The run was trained on --data ${settings.data}`,
    );
  }
  const known = numbered(record, index);
  // What moves as it trains is no longer what it was at the start.
  const sids = own === path
    ? await runSids(home, known, index, { order, isOwn: true })
    : asOrdered(known, order);
  const { maxHistory } = settings;
  const { task, maxNewTokens } = options;
  const words = { prompts: `${path}/prompts.json`, task, maxNewTokens };
  // A run on text keeps its tokenizer and templates, one on SIDs alone its vocabulary or, with a table a level, none.
  const prompts = codeSizes
    ? codeTokens(sids, codeSizes, maxHistory, weights.folder)
    : await isFile(`${path}/tokenizer.json`)
    ? await savedTextPrompts(dataset, sids, path, { ...settings, ...words }, diskFiles)
    : sidPrompts(await readVocabulary(path, sids, path), sids, maxHistory);
  checkTask(given, prompts, options.task);
  return {
    kind: sidRun.name,
    home,
    weights,
    model: BASELINES.find(({ name }) => name === home.config.model)?.name ??
      await architectureOf(weights.folder),
    data,
    dataset,
    sids,
    index,
    prompts,
    maxHistory,
    normalisation: normalisationOf(options.normalisation, settings),
    settings,
    describedBy: await existing(DESCRIBING.map((name) => `${path}/${name}`)),
  };
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map(isFile));
  return paths.filter((_, i) => found[i]);
}

function checkRunFlags(run: string, { sids, prompts, maxHistory }: OpenRunOptions): void {
  const flag = sids ? "--sids" : prompts ? "--prompts" : maxHistory ? "--max-history" : undefined;
  if (flag === undefined) return;
  throw new UserError(
    `Cannot use ${flag} with run ${run}: a run is asked as it was trained, by what its directory keeps. ` +
      `Leave out ${flag}, or name one of its checkpoint folders with --run`,
  );
}
