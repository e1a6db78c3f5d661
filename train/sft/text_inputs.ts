import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import type { Dataset } from "../../data/dataset.ts";
import { readPreferences } from "../../data/preferences.ts";
import type { ReadFiles } from "../../base/files/disk.ts";
import { readSftRows, type SftTextRow } from "../../data/formats/mimigenrec/sft_rows.ts";
import { readText } from "../../base/files/text_file.ts";
import { UserError } from "../../base/user_error.ts";
import { type DecoderConfig, readDecoderConfig } from "../../models/decoder/config.ts";
import { isGguf } from "../../models/gguf/path.ts";
import { type ModelFile, Pretrained } from "../../models/hugging_face/pretrained.ts";
import { expectRows, readTokenizer } from "../../models/tokenizer/from_folder.ts";
import type { Tokenizer } from "../../models/tokenizer/tokenizer.ts";
import { formatTokenizerConfig, type ModelTokens, specialTokens } from "../../models/tokenizer/config.ts";
import { trimTokenizer } from "../../models/tokenizer/trim.ts";
import { ItemTexts } from "../../prompts/rows/item_texts.ts";
import { rowWordings } from "../../prompts/rows/row_wordings.ts";
import { alignmentTexts } from "../../prompts/rows/task_plan.ts";
import { alignmentTask, taskTokens } from "../../prompts/tasks/by_name.ts";
import { type AlignmentSource, alignmentSource } from "../../prompts/rows/source.ts";
import type { TaskInput } from "../../prompts/tasks/task.ts";
import type { NextItemPrompts } from "../../prompts/next_item.ts";
import { askedAs } from "../../prompts/asked.ts";
import { chatTemplates, genrecTemplates } from "../../prompts/built_in.ts";
import { Prompts } from "../../prompts/prompts.ts";
import { parseTemplates, saysSystem, SYSTEM_PART, type Templates } from "../../prompts/template.ts";
import { textPrompts } from "../../prompts/text.ts";
import { scratchConfig } from "./scratch_decoder.ts";
import type { SftConfig } from "./config.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import type { ModelInputs } from "./sid_inputs.ts";

/** Smallest weight of a row, as a share of the mean, where rows weigh as much as their value. */
const VALUE_FLOOR = 0.1;

const GenerationConfig = z.looseObject({
  eos_token_id: z.union([z.int(), z.array(z.int())]).nullish(),
  pad_token_id: z.int().nullish(),
});

/** What a language model learns, is asked and computes with. */
export interface TextInputs extends ModelInputs {
  /** Rows of the tasks. */
  source: AlignmentSource;
  /** Its words: ours, or those of `prompts`. */
  templates: Templates;
  /** With the tokens of the index. */
  tokenizer: Tokenizer;
  /** Files of the tokenizer: they go with every checkpoint, which Hugging Face transformers then loads. */
  companions: ModelFile[];
  /** Weights to start from; absent: fresh ones. */
  pretrained?: Pretrained;
  /** Where the vocabulary is trimmed: the token of the pretrained model that each of its tokens is. */
  kept?: Uint32Array;
  /** First token that the pretrained model does not know. */
  firstNewRow: number;
  /** Rows of the embedding before the tokens of index and tasks, which train even where the model is frozen. */
  frozenRows: number;
}

/** Where the texts come from. */
export interface TextSettings extends SftConfig {
  /** Directory of the dataset, for the rows of a MIMIGenRec directory. */
  data: string;
}

/**
 * A language model in the words of a template: tokenizer with the tokens of the index, rows of the tasks, prompts.
 * `onProgress` counts rows.
 * @throws {UserError} for files that are missing, damaged or do not fit each other, and tasks without rows.
 */
export async function textInputs(
  dataset: Dataset,
  sids: readonly (readonly string[])[],
  settings: TextSettings,
  files: ReadFiles,
  onProgress?: (done: number, total: number) => void,
): Promise<TextInputs> {
  if (settings.model) await checkFolder(settings.model, files);
  const pretrained = settings.model && !settings.fromScratch
    ? await Pretrained.open(settings.model, files)
    : undefined;
  pretrained?.checkHead();
  if (pretrained) checkPretrained(settings);
  if (settings.valueAware && !dataset.items.some(({ finalValue = 0 }) => finalValue > 0)) {
    throw new UserError(
      `Cannot weigh rows by value: no item of ${dataset.name} has a final_value above 0. Leave out --value-aware`,
    );
  }
  const { tokenizer: base, tokenizerConfig } = await readTokenizer(
    settings.tokenizer || settings.model,
    files,
  );
  const model = await readArchitecture(settings, pretrained, files);
  const modelTokens = model ? await readModelTokens(settings.model, model, files) : {};
  const weights = taskWeights(settings.tasks);
  const trained = trainedTasks(weights);
  const most = { rows: rowCounts(settings.taskRows, weights), seed: settings.seed };
  const more = {
    preferences: settings.preferences
      ? await readPreferences(settings.preferences, dataset.items.length)
      : undefined,
    rows: weights.rows ? await rowsOf(settings) : noRows(settings),
  };
  const templates = withRowWords(await readTemplates(settings.prompts), trained, more.rows, sids, settings);
  const of = (tokenizer: Tokenizer, kept?: Uint32Array) => {
    const special = specialTokens(tokenizer, tokenizerConfig, renumbered(modelTokens, kept));
    const { category } = settings;
    const prompts = new Prompts({ templates, tokenizer, special, tokenizerConfig, category });
    const texts = new ItemTexts(dataset, sids, tokenizer, textTokens(settings));
    const input: TaskInput = { dataset, texts, maxHistory: settings.maxHistory, ...more };
    return { prompts, input, special };
  };

  // Tokens of the tasks come before those of SIDs, which then are one range.
  const own = taskTokens(Object.keys(weights), { dataset, rows: more.rows });
  let tokenizer = base.withTokens(own).withTokens(sids.flat());
  const known = Math.min(base.vocabulary, model?.vocab_size ?? Infinity);
  // Those of index and tasks get rows anyway; fresh rows of words would be noise among pretrained ones.
  if (pretrained && rowsBefore(base, [...own, ...sids.flat()]) > known) {
    expectRows(`train ${settings.model}`, base, known);
  }
  let kept: Uint32Array | undefined;
  if (settings.trimVocabulary) {
    const { prompts, input } = of(tokenizer);
    const texts = alignmentTexts({ ...input, prompts, tasks: weights, most });
    ({ tokenizer, kept } = trimTokenizer(tokenizer, texts, settings.trimMinCount));
  }

  const firstNewRow = kept?.filter((token) => token < known).length ?? known;
  const frozenRows = Math.min(firstNewRow, rowsBefore(tokenizer, [...own, ...sids.flat()]));
  if (settings.freeze === "llm" && frozenRows === tokenizer.vocabulary) {
    throw new UserError(
      `Cannot freeze ${settings.model}: its tokenizer has the tokens of the index among others, so no rows are left to ` +
        "train. Leave out --freeze, or use --lora-r 16",
    );
  }

  const { prompts, input, special } = of(tokenizer, kept);
  const source = alignmentSource({
    ...input,
    prompts,
    tasks: weights,
    most,
    maxLength: settings.maxLength,
    longSequences: settings.longSequences,
    lossNormalisation: settings.lossNormalisation,
    historyLossWeight: settings.historyLossWeight,
    valueAware: settings.valueAware ? { floor: VALUE_FLOOR } : undefined,
    onProgress,
  });
  return {
    source,
    templates,
    prompts: textPrompts({
      ...input,
      prompts,
      maxLength: settings.maxLength,
      trained,
      ...askedAs(trained, templates),
    }),
    architecture: architecture(settings, model, tokenizer, special),
    tokenizer,
    companions: [
      { name: "tokenizer.json", bytes: tokenizer.json.slice() },
      {
        name: "tokenizer_config.json",
        bytes: new TextEncoder().encode(formatTokenizerConfig(tokenizer, tokenizerConfig)),
      },
    ],
    pretrained,
    kept,
    firstNewRow,
    frozenRows,
  };
}

/** Settings of {@link savedTextPrompts}. */
export interface SavedTextSettings extends
  Pick<
    SftConfig,
    "maxHistory" | "maxLength" | "tasks" | "prompts" | "category" | "maxTitleTokens" | "maxDescriptionTokens"
  > {
  /** Task to ask; "" or absent: the one that asks for the next item as the model learned it. */
  task?: string;
  /** Most tokens of reasons before a SID, in tasks that have them. */
  maxNewTokens?: number;
}

/**
 * How a model that was trained on text is asked: with the tokenizer and the templates that its run directory keeps.
 * @throws {UserError} for files that are missing, damaged or do not fit each other, and a task that it did not learn.
 */
export async function savedTextPrompts(
  dataset: Dataset,
  sids: readonly (readonly string[])[],
  folder: string,
  settings: SavedTextSettings,
  files: ReadFiles,
): Promise<NextItemPrompts> {
  const { tokenizer, tokenizerConfig } = await readTokenizer(folder, files);
  const templates = await readTemplates(settings.prompts);
  const special = specialTokens(tokenizer, tokenizerConfig);
  const { category } = settings;
  const prompts = new Prompts({ templates, tokenizer, special, tokenizerConfig, category });
  const { maxHistory, maxLength, maxNewTokens } = settings;
  const texts = new ItemTexts(dataset, sids, tokenizer, textTokens(settings));
  const trained = trainedTasks(taskWeights(settings.tasks));
  const asked = askedAs(trained, templates, settings.task);
  return textPrompts({ dataset, texts, maxHistory, prompts, maxLength, maxNewTokens, trained, ...asked });
}

function trainedTasks(weights: Readonly<Record<string, number>>): string[] {
  return Object.keys(weights).filter((name) => weights[name] > 0);
}

/** Templates of a file, or the built-in ones of a name; ours without one. */
async function readTemplates(path: string): Promise<Templates> {
  if (path === "" || path === genrecTemplates.name) return genrecTemplates;
  return path === chatTemplates.name ? chatTemplates : parseTemplates(await readText(path), path);
}

/** The rows that are taken as they are, file after file; undefined where there are none. */
async function rowsOf({ rows, data }: SftConfig & { data: string }): Promise<SftTextRow[] | undefined> {
  const own = `${data}/sft/train.json`;
  const paths = rows.length > 0 ? rows : await isFile(own) ? [own] : undefined;
  return paths && (await Promise.all(paths.map(readSftRows))).flat();
}

function noRows({ rows }: SftConfig): undefined {
  if (rows.length === 0) return;
  throw new UserError(
    `Cannot use --rows ${
      rows.join(" ")
    } without task rows: none of --tasks trains on them. Add rows to --tasks`,
  );
}

/**
 * Templates as a run keeps them. Where it learns rows of a file and not next-item itself, the next item is asked for in
 * the words of those rows. A system text of theirs needs a place in the frame, which ours then has.
 */
function withRowWords(
  templates: Templates,
  trained: readonly string[],
  rows: readonly SftTextRow[] | undefined,
  sids: readonly (readonly string[])[],
  { prompts }: SftConfig,
): Templates {
  const told = rows?.find(({ system }) => system !== "")?.system ??
    [templates.system, ...Object.values(templates.tasks).map(({ system }) => system)].find((text) => text);
  const { frame } = templates;
  const isOurs = JSON.stringify(frame) === JSON.stringify(genrecTemplates.frame);
  if (told !== undefined && !saysSystem(templates) && !isOurs) {
    throw new UserError(
      `Cannot word prompts as ${prompts} says: there is a system text ${
        JSON.stringify(told.slice(0, 60))
      }, for which its ` +
        'frame has no place. Add `system: "{system}\\n"` to the frame, or {system} to one of its parts',
    );
  }
  const framed = told === undefined || frame === "chat" || saysSystem(templates)
    ? templates
    : { ...templates, frame: { system: SYSTEM_PART, ...frame } };
  const [first, ...also] = rows === undefined || trained.includes("next-item")
    ? []
    : rowWordings(rows, sids.map((sid) => sid.join("")));
  if (first === undefined) return framed;
  const words = { ...first, ...(also.length > 0 && { also }) };
  return { ...framed, tasks: { ...framed.tasks, "next-item": words } };
}

/** Weights by task from texts such as `sid-to-title=0.5`. Throws {@link UserError} for one that is no such text. */
export function taskWeights(tasks: readonly string[]): Record<string, number> {
  const weights: Record<string, number> = {};
  for (const text of tasks) {
    const match = /^([a-z-]+)(?:=(\d+(?:\.\d*)?|\.\d+))?$/.exec(text);
    if (!match || Object.hasOwn(weights, match[1])) {
      throw new UserError(
        `Cannot train on task ${
          JSON.stringify(text)
        }: expected each name once, with a weight or without, such as ` +
          "next-item or sid-to-title=0.5",
      );
    }
    weights[alignmentTask(match[1]).name] = Number(match[2] ?? 1);
  }
  return weights;
}

/** Most rows by task from texts such as `titles-to-sid=10000`. Throws {@link UserError} for others, and tasks not trained on. */
export function rowCounts(
  texts: readonly string[],
  tasks: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(texts.map((text) => {
    const [, name, rows] = /^([a-z-]+)=([1-9]\d*)$/.exec(text) ?? [];
    if (name !== undefined && Object.hasOwn(tasks, name)) return [name, Number(rows)];
    throw new UserError(
      `Cannot draw rows of ${JSON.stringify(text)}: expected one of the tasks ${
        Object.keys(tasks).join(", ")
      } and a ` +
        "number, such as next-item=10000",
    );
  }));
}

function textTokens(
  { maxTitleTokens: title, maxDescriptionTokens: description }: Pick<
    SftConfig,
    "maxTitleTokens" | "maxDescriptionTokens"
  >,
) {
  return { title, description };
}

/** A name on the hub is the most likely slip. */
async function checkFolder(model: string, files: ReadFiles): Promise<void> {
  if (isGguf(model)) return void await files.listFiles(model);
  const found = await files.listFiles(model).then(() => true, () => false);
  if (found) return;
  throw new UserError(
    `Cannot load a model from ${model}: no such directory. Expected a Hugging Face directory on this machine with ` +
      "config.json, tokenizer.json and safetensors, or a .gguf file; nothing is fetched",
  );
}

function checkPretrained({ model, tokenizer }: SftConfig): void {
  if (tokenizer === "") return;
  throw new UserError(
    `Cannot use --tokenizer with the pretrained model ${model}: its weights belong to the tokens of its own tokenizer. ` +
      "Add --from-scratch, or leave out --tokenizer",
  );
}

/** Ids of roles in a trimmed vocabulary, `kept` by id; a role whose token is not among them has none. */
function renumbered(tokens: ModelTokens, kept: Uint32Array | undefined): ModelTokens {
  if (!kept) return tokens;
  const place = (id: number) => {
    const at = kept.indexOf(id);
    return at < 0 ? [] : [at];
  };
  const { eos_token_id: eos, pad_token_id: pad } = tokens;
  const ends = (typeof eos === "number" ? [eos] : eos ?? []).flatMap(place);
  return {
    eos_token_id: ends.length > 0 ? ends : undefined,
    pad_token_id: typeof pad === "number" ? place(pad)[0] : pad,
  };
}

/** Rows before `tokens`, which are the last of the tokenizer; all of its rows where others come after them. */
function rowsBefore(tokenizer: Tokenizer, tokens: readonly string[]): number {
  const ids = new Set(tokens.map((token) => tokenizer.idOf(token)));
  let rows = tokenizer.vocabulary;
  while (ids.has(rows - 1)) rows--;
  return rows;
}

// Config of the directory, whether its weights are used or not; a tokenizer alone says nothing of the model.
async function readArchitecture(
  { model, maxLength }: SftConfig,
  pretrained: Pretrained | undefined,
  files: ReadFiles,
): Promise<DecoderConfig | undefined> {
  if (!model) return undefined;
  const path = `${model}/config.json`;
  const config = pretrained?.config ??
    readDecoderConfig(new TextDecoder().decode(await files.readFile(path)), path);
  const { max_position_embeddings: positions } = config;
  if (positions >= maxLength) return config;
  throw new UserError(
    `Cannot train on sequences of ${maxLength} tokens: the model of ${model} has ${positions} positions. Use ` +
      `--max-length ${positions} or less`,
  );
}

/** Ids of roles that the model's files give where the tokenizer's give none: those that it generates with count first. */
async function readModelTokens(
  folder: string,
  { eos_token_id, pad_token_id }: DecoderConfig,
  files: ReadFiles,
): Promise<ModelTokens> {
  const name = "generation_config.json", path = `${folder}/${name}`;
  if (!(await files.listFiles(folder)).includes(name)) return { eos_token_id, pad_token_id };
  const generation = parseJson(new TextDecoder().decode(await files.readFile(path)), path, GenerationConfig);
  return {
    eos_token_id: generation.eos_token_id ?? eos_token_id,
    pad_token_id: generation.pad_token_id ?? pad_token_id,
  };
}

function architecture(
  settings: SftConfig,
  model: DecoderConfig | undefined,
  tokenizer: Tokenizer,
  { bos, eos, pad }: ReturnType<typeof specialTokens>,
): DecoderConfig {
  // Checkpoints have rows to spare beyond their tokenizer, which new tokens take first.
  const rows = settings.trimVocabulary ? 0 : model?.vocab_size ?? 0;
  const vocab_size = Math.max(rows, tokenizer.vocabulary);
  if (model) {
    const begins = settings.trimVocabulary ? { bos_token_id: bos ?? null } : {};
    return { ...model, ...begins, vocab_size, eos_token_id: eos, pad_token_id: pad };
  }
  return scratchConfig(settings, {
    vocab_size,
    max_position_embeddings: settings.maxLength,
    bos_token_id: bos ?? null,
    eos_token_id: eos,
    pad_token_id: pad,
  });
}
