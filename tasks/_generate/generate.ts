import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { TextWriter } from "../../decode/text_writer.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { withGguf } from "../../models/gguf/files.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { chatTemplateOf, specialTokens, type TokenizerConfig } from "../../models/tokenizer/config.ts";
import { expectRows, readTokenizer } from "../../models/tokenizer/from_folder.ts";
import type { Tokenizer } from "../../models/tokenizer/tokenizer.ts";
import { chatFrame } from "../../prompts/frame.ts";
import { ALIGNMENT_TASKS } from "../../prompts/tasks/by_name.ts";
import type { InWordsTask } from "../../prompts/tasks/task.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import type { SidRun } from "../../train/runs/sid_model.ts";
import { textModelFolder } from "../../train/runs/text_folder.ts";
import { type Task, type TaskIO, UsageError } from "../_cli/cli.ts";
import { WHOLE_FLAG } from "../_cli/command/property.ts";
import { DeviceFlags, openDevice } from "../_cli/open_device.ts";
import {
  changedFlags,
  HistoryFlag,
  NamedItems,
  RunFlags,
  SamplingFlags,
  WeightFlags,
} from "../_cli/run_flags.ts";
import { itemsOf } from "../_recommend/histories.ts";
import { ItemLookup } from "../_recommend/item_lookup.ts";
import { itemQuestions, type TextQuestion } from "./questions.ts";
import { StreamedText } from "./streamed_text.ts";

const namesAbout = (about: InWordsTask["about"]) =>
  ALIGNMENT_TASKS.filter(({ inWords }) => inWords?.about === about).map(({ name }) => name).join(", ");

const config = z.strictObject({
  run: z.string().describe(
    "run directory of sft or rl on text, a checkpoint folder of one, a Hugging Face directory, or a .gguf file",
  ),
  checkpoint: z.string().default("best").describe("best, latest, or the name of one such as step-400"),
  prompt: z.array(z.string()).default([]).meta({
    description: "what the model goes on from, of one line or more; repeat the flag for several",
    separator: WHOLE_FLAG,
  }),
  items: NamedItems.describe(
    "instead of --prompt, item numbers or ids of the data, such as 12,B00AX: a run that learned a task in words about an item, " +
      "such as sid-to-title, is asked about each, in the words that it learned",
  ),
  history: HistoryFlag.history,
  task: z.string().default("").describe(
    `task to ask, of those that the model learned: ${namesAbout("item")} with --items, ${
      namesAbout("history")
    } with ` +
      "--history; without it, the only one that it learned",
  ),
  data: RunFlags.data,
  sids: RunFlags.sids,
  prompts: RunFlags.prompts,
  maxHistory: RunFlags.maxHistory,
  chat: z.boolean().default(false).describe(
    "put each prompt as a user's message in the chat template of the model",
  ),
  system: z.string().default("").describe("system text before that message, with --chat"),
  maxNewTokens: z.int().min(1).default(128).describe("most tokens to write"),
  doSample: z.boolean().default(false).describe("draw tokens; without it, always the most probable one"),
  temperature: z.number().gt(0).default(1).describe("divides the logits that tokens are drawn by"),
  ...SamplingFlags,
  repetitionPenalty: z.number().gt(0).default(1).describe(
    "makes tokens of prompt and text less probable above 1; 1: none",
  ),
  seed: z.int().min(0).default(42).describe("seed of the draws"),
  ...WeightFlags,
  ...DeviceFlags,
});

export const task: Task<typeof config> = {
  name: "generate",
  summary: "text that a language model writes after a prompt, or about items",
  examples: [
    'generate --run runs/a --prompt "The capital of France is"',
    "generate --run runs/a --items 12,45 --task sid-to-title",
    'generate --run SmolLM2-135M-Instruct --chat --prompt "Name a hand tool." --do-sample --top-p 0.9',
  ],
  config,
  async run(flags, io) {
    checkFlags(flags);
    const about = aboutOf(flags);
    const { data, sids, prompts, maxHistory, checkpoint } = flags;
    const run = about &&
      await openSidRun(flags.run, { data, sids, prompts, maxHistory, checkpoint }, "ask about items of");
    const folder = await textModelFolder(flags.run, flags.checkpoint, "write text with");
    const files = withGguf(diskFiles);
    const pretrained = await Pretrained.open(folder, files);
    const { tokenizer, tokenizerConfig } = await readTokenizer(folder, files);
    expectRows(`write text with ${flags.run}`, tokenizer, pretrained.config.vocab_size);
    const ends = await endTokens(folder, pretrained.config.eos_token_id, tokenizer, tokenizerConfig);
    const positions = pretrained.config.max_position_embeddings;
    const questions = run
      ? itemsAsked(flags, run, positions - flags.maxNewTokens, io)
      : promptsAsked(flags, tokenizer, tokenizerConfig, ends[0]);
    checkRoom(questions, flags.maxNewTokens, positions);
    const { device } = await openDevice(flags);
    const decoder = await Decoder.load(device, pretrained, pretrained.config, {
      trainable: () => false,
      int8: flags.weights === "int8",
    });
    const writer = new TextWriter(device, decoder, {
      ...flags,
      temperature: flags.doSample ? flags.temperature : 0,
      stop: new Set(ends),
    });
    try {
      // One after the other, so that each is shown as it is written.
      for (const { tokens, before, after, line } of questions) {
        // What a run learned may end with blanks of its frame.
        const decode = (written: ArrayLike<number>) =>
          run ? tokenizer.decode(written).trim() : tokenizer.decode(written);
        const text = new StreamedText(decode);
        if (!io.json) write(before);
        const [written] = await writer.run([tokens], (_, token) => {
          const more = text.add(token);
          if (!io.json) write(more);
          return !io.signal.aborted;
        });
        if (io.json) console.log(JSON.stringify(line(decode(written))));
        else write(`${text.rest()}\n${after}`);
        if (io.signal.aborted) return;
      }
    } finally {
      decoder.destroy();
    }
  },
};

type Flags = z.output<typeof config>;

/** What is asked about; undefined where prompts are gone on from. */
function aboutOf({ items, history }: Pick<Flags, "items" | "history">): InWordsTask["about"] | undefined {
  return items.length > 0 ? "item" : history.length > 0 ? "history" : undefined;
}

function checkFlags(flags: Flags): void {
  const { prompt, items, history, doSample, system, chat } = flags;
  const given = [prompt, items, history].filter(({ length }) => length > 0).length;
  if (given !== 1) {
    throw new UsageError(
      `Expected one of --prompt, --items and --history, found ${
        given || "none"
      }. See \`genrec generate --help\``,
    );
  }
  const changed = (keys: readonly (keyof Flags)[]) => changedFlags(config, flags, keys);
  const drawn = changed(["temperature", "topP", "topK", "minP", "seed"]);
  if (!doSample && drawn !== "") {
    throw new UsageError(`Cannot use ${drawn} without --do-sample: nothing is drawn. Add --do-sample`);
  }
  const asked = changed(["task", "data", "sids", "prompts", "maxHistory"]);
  if (prompt.length > 0 && asked !== "") {
    throw new UsageError(
      `Cannot use ${asked} with --prompt: they tell how items are asked about. Use --items or --history instead`,
    );
  }
  const framed = changed(["chat", "system"]);
  if (prompt.length === 0 && framed !== "") {
    throw new UsageError(
      `Cannot use ${framed} with --items or --history: a run is asked in the words and the frame that it learned`,
    );
  }
  if (system !== "" && !chat) throw new UsageError("Cannot use --system without --chat. Add --chat");
  if (prompt.some((text) => text === "")) {
    throw new UsageError("Cannot write after an empty --prompt: expected some text");
  }
}

const GenerationConfig = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });

/** Tokens that end a text, that of the tokenizer first. */
async function endTokens(
  folder: string,
  ofModel: number | number[] | null | undefined,
  tokenizer: Tokenizer,
  tokenizerConfig: TokenizerConfig,
): Promise<number[]> {
  const path = `${folder}/generation_config.json`;
  const more = await isFile(path)
    ? parseJson(new TextDecoder().decode(await diskFiles.readFile(path)), path, GenerationConfig).eos_token_id
    : undefined;
  const { eos } = specialTokens(tokenizer, tokenizerConfig, { eos_token_id: more ?? ofModel });
  return [...new Set([eos, ...[more ?? ofModel ?? []].flat()])];
}

/** Questions about `--items` or `--history`, of at most so many tokens where that is possible. */
function itemsAsked(flags: Flags, run: SidRun, room: number, io: TaskIO): TextQuestion[] {
  const { prompts: { text }, data, dataset, settings } = run;
  const about = aboutOf(flags)!, names = flags[about === "item" ? "items" : "history"];
  const lookup = new ItemLookup(dataset, data, "ask about");
  const { history: items, unknown, place } = itemsOf(
    names,
    about === "item" ? "--items" : "--history",
    lookup,
  );
  if (unknown.length > 0) throw lookup.unknown(unknown, place);
  lookup.notes(names).forEach((note) => io.log(note));
  const most = Math.min(room, settings.maxLength);
  return itemQuestions({ ...run, text: text! }, about, flags.task, items, most);
}

function promptsAsked(
  flags: Flags,
  tokenizer: Tokenizer,
  tokenizerConfig: TokenizerConfig,
  eos: number,
): TextQuestion[] {
  const tokens = promptTokens(flags, tokenizer, tokenizerConfig, eos);
  return flags.prompt.map((prompt, i) => ({
    tokens: tokens[i],
    // A continuation stands behind its prompt, an answer below it.
    before: flags.chat ? `${prompt}\n` : prompt,
    after: "",
    line: (text) => ({ prompt, text }),
  }));
}

function promptTokens(
  { prompt, chat, system }: Flags,
  tokenizer: Tokenizer,
  tokenizerConfig: TokenizerConfig,
  eos: number,
): Uint32Array[] {
  if (!chat) return prompt.map((text) => tokenizer.encode(text));
  const template = chatTemplateOf(tokenizerConfig);
  if (template === undefined) {
    throw new UserError("Cannot use --chat: the model has no chat template. Leave out --chat");
  }
  const { bos_token: bos } = tokenizerConfig;
  const ends = tokenizerConfig.eos_token ?? tokenizer.decode([eos], true);
  const frame = chatFrame(template, system !== "", { bos: bos ?? undefined, eos: ends });
  return prompt.map((message) => {
    const slots: Record<string, string> = { system, message };
    const text = frame.prompt.flat().map((part) => typeof part === "string" ? part : slots[part.slot]).join(
      "",
    );
    return tokenizer.encode(text, { addSpecialTokens: false });
  });
}

function checkRoom(questions: readonly TextQuestion[], maxNewTokens: number, positions: number): void {
  const longest = Math.max(...questions.map(({ tokens }) => tokens.length));
  if (longest + maxNewTokens <= positions) return;
  throw new UserError(
    `Cannot write ${maxNewTokens} tokens after a prompt of ${longest}: the model has ${positions} positions. Use ` +
      `--max-new-tokens ${Math.max(1, positions - longest)} or less, or a shorter prompt`,
  );
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
