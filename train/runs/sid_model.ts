import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { TOKEN_NORMALISATIONS, type TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { Decoder, HeldFormat } from "../../models/decoder/decoder.ts";
import type { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { TEXT_TOKENS } from "../../prompts/rows/item_texts.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import type { NextItemPrompts } from "../../prompts/next_item.ts";
import { SidVocabulary } from "../../sid/tokens.ts";
import { loadModel } from "../run/checkpoint.ts";
import { RunDirectory } from "../run/directory.ts";
import { trainedNormalisation } from "../sft/config.ts";
import type { CheckpointFolder } from "./checkpoints.ts";
import type { RunFolder } from "./run_folder.ts";

const NEXT_ITEM = "next-item";

const RunConfig = z.looseObject({
  data: z.string(),
  maxHistory: z.int().min(1),
  maxLength: z.int().default(512),
  tasks: z.array(z.string()).default([]),
  category: z.string().default("items"),
  maxTitleTokens: z.int().default(TEXT_TOKENS.title),
  maxDescriptionTokens: z.int().default(TEXT_TOKENS.description),
  trieLossWeight: z.number().default(0),
  /** Of what RL made; other runs tell by their loss. */
  normalisation: z.enum(TOKEN_NORMALISATIONS).optional(),
});

/** How a model was trained to be asked. */
export type RunSettings = z.output<typeof RunConfig>;

/** What tells the tokens of a model apart, and its words: files that a run made from another one keeps. */
export const DESCRIBING = [
  "vocabulary.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "prompts.json",
];

/** A trained model that writes SIDs, with the dataset that it ranks; its weights are not loaded. */
export interface SidRun {
  /** Kind of its folder. */
  kind: string;
  /** What the folder tells. */
  home: RunFolder;
  /** Where the weights are. */
  weights: CheckpointFolder;
  /** Architecture, or name of the baseline. */
  model: string;
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
  /** What probabilities are normalised over: as asked for, else as in training. */
  normalisation: TokenNormalisation;
  /** How it was trained to be asked: `model.json` of a run that is made from it. */
  settings: RunSettings;
  /** Paths of its vocabulary, or tokenizer and templates. */
  describedBy: string[];
}

/** Settings of a run: those of the run that it was made from, where it has changed weights alone. */
export async function runSettings(path: string): Promise<RunSettings> {
  const inherited = `${path}/model.json`;
  return await readJson(await isFile(inherited) ? inherited : `${path}/config.json`, RunConfig);
}

/** Settings of a model that no run tells about. */
export function modelSettings(settings: z.input<typeof RunConfig>): RunSettings {
  return RunConfig.parse(settings);
}

/** Throws {@link UserError} for a task other than the next item of a run without words, naming `path`. */
export function checkTask(path: string, { text }: NextItemPrompts, task = ""): void {
  if (text || task === "" || task === NEXT_ITEM) return;
  throw new UserError(
    `Cannot ask ${path} for task ${task}: it knows SIDs alone and reads no text. Use --task ${NEXT_ITEM}, or train a ` +
      "run with --model or --tokenizer",
  );
}

/** As which task a model is asked, and a warning where it has not seen the words of that. */
export function askedBy({ prompts: { text }, settings, home }: SidRun): { task: string; warning?: string } {
  const { task = NEXT_ITEM, unseen, prompts } = text ?? {};
  if (!unseen) return { task };
  return {
    task,
    warning: task === "rows"
      ? `${home.given} learned ${
        settings.tasks.join(", ")
      } and no rows: where it has not seen the words of these ` +
        "rows, its answers mean little"
      : `${home.given} learned ${settings.tasks.join(", ")} and is asked for ${task} in the words of ` +
        `${prompts!.name}, which it has not seen: its answers mean little`,
  };
}

/** The normalisation that is asked for, or that of the training. */
export function normalisationOf(
  asked: TokenNormalisation | "auto" | undefined,
  settings: RunSettings,
): TokenNormalisation {
  if (asked !== undefined && asked !== "auto") return asked;
  return settings.normalisation ?? trainedNormalisation(settings);
}

/** The vocabulary.json in `folder`. Throws {@link UserError} unless it is that of `sids`, naming `path`. */
export async function readVocabulary(folder: string, sids: string[][], path: string): Promise<SidVocabulary> {
  const vocabulary = SidVocabulary.fromJSON(await new RunDirectory(folder).readJson("vocabulary.json"));
  checkVocabulary(vocabulary, sids, path);
  return vocabulary;
}

/** Token ids of a model with a table for each level. Throws {@link UserError} where they do not fit, naming `path`. */
export function codeTokens(
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

/** Loads the weights of a run. Throws {@link UserError} for damaged files, and a model without tokens for the SIDs. */
export async function loadSidModel(
  device: Device,
  run: SidRun,
  format: HeldFormat = "float32",
): Promise<Decoder | EncoderDecoder> {
  const { home, weights: { folder }, prompts } = run;
  const model = await loadModel(device, folder, format);
  // Pretrained models have rows to spare.
  if (model.vocabulary < prompts.vocabulary) {
    throw new UserError(
      `Cannot use ${folder}: the model has ${model.vocabulary} tokens, ${home.given} has ` +
        `${prompts.vocabulary}, expected as many. Use a checkpoint of this run`,
    );
  }
  return model;
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
