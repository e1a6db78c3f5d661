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
import { textModelFolder } from "../../train/runs/text_folder.ts";
import { type Task, UsageError, WHOLE_FLAG } from "../_cli/cli.ts";
import { DeviceFlags, openDevice } from "../_cli/open_device.ts";
import { WeightFlags } from "../_cli/run_flags.ts";
import { StreamedText } from "./streamed_text.ts";

const config = z.strictObject({
  run: z.string().describe(
    "run directory of sft or rl on text, a checkpoint folder of one, a Hugging Face directory, or a .gguf file",
  ),
  checkpoint: z.string().default("best").describe("best, latest, or the name of one such as step-400"),
  prompt: z.array(z.string()).min(1).meta({
    description: "what the model goes on from, of one line or more; repeat the flag for several",
    separator: WHOLE_FLAG,
  }),
  chat: z.boolean().default(false).describe(
    "put each prompt as a user's message in the chat template of the model",
  ),
  system: z.string().default("").describe("system text before that message, with --chat"),
  maxNewTokens: z.int().min(1).default(128).describe("most tokens to write"),
  doSample: z.boolean().default(false).describe("draw tokens; without it, always the most probable one"),
  temperature: z.number().gt(0).default(1).describe("divides the logits that tokens are drawn by"),
  topK: z.int().min(0).default(50).describe(
    "draw from so many of the most probable tokens alone; 0: from all",
  ),
  topP: z.number().gt(0).max(1).default(1).describe(
    "draw from the most probable tokens that together have this share",
  ),
  minP: z.number().min(0).max(1).default(0).describe(
    "draw from tokens alone that are at least so many times as probable as the most probable one; 0: from all",
  ),
  repetitionPenalty: z.number().gt(0).default(1).describe(
    "makes tokens of prompt and text less probable above 1; 1: none",
  ),
  seed: z.int().min(0).default(42).describe("seed of the draws"),
  ...WeightFlags,
  ...DeviceFlags,
});

export const task: Task<typeof config> = {
  name: "generate",
  summary: "text that a language model writes after a prompt",
  examples: [
    'generate --run runs/a --prompt "The capital of France is"',
    'generate --run SmolLM2-135M-Instruct --chat --prompt "Name a hand tool." --do-sample --top-p 0.9',
  ],
  config,
  async run(flags, io) {
    checkFlags(flags);
    const folder = await textModelFolder(flags.run, flags.checkpoint, "write text with");
    const files = withGguf(diskFiles);
    const pretrained = await Pretrained.open(folder, files);
    const { tokenizer, tokenizerConfig } = await readTokenizer(folder, files);
    expectRows(`write text with ${flags.run}`, tokenizer, pretrained.config.vocab_size);
    const ends = await endTokens(folder, pretrained.config.eos_token_id, tokenizer, tokenizerConfig);
    const prompts = promptTokens(flags, tokenizer, tokenizerConfig, ends[0]);
    checkRoom(prompts, flags.maxNewTokens, pretrained.config.max_position_embeddings);
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
      for (const [i, tokens] of prompts.entries()) {
        const text = new StreamedText((written) => tokenizer.decode(written));
        // A continuation stands behind its prompt, an answer below it.
        if (!io.json) write(flags.chat ? `${flags.prompt[i]}\n` : flags.prompt[i]);
        const [written] = await writer.run([tokens], (_, token) => {
          const more = text.add(token);
          if (!io.json) write(more);
          return !io.signal.aborted;
        });
        if (io.json) {
          console.log(JSON.stringify({ prompt: flags.prompt[i], text: tokenizer.decode(written) }));
        } else write(`${text.rest()}\n`);
        if (io.signal.aborted) return;
      }
    } finally {
      decoder.destroy();
    }
  },
};

type Flags = z.output<typeof config>;

function checkFlags({ doSample, temperature, topP, topK, minP, seed, chat, system, prompt }: Flags): void {
  const { shape } = config;
  const idle = Object.entries({ temperature, topP, topK, minP, seed })
    .filter(([key, value]) => value !== shape[key as "seed"].def.defaultValue)
    .map(([key]) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  if (!doSample && idle.length > 0) {
    throw new UsageError(
      `Cannot use ${idle.join(", ")} without --do-sample: nothing is drawn. Add --do-sample`,
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

function checkRoom(prompts: readonly Uint32Array[], maxNewTokens: number, positions: number): void {
  const longest = Math.max(...prompts.map(({ length }) => length));
  if (longest + maxNewTokens <= positions) return;
  throw new UserError(
    `Cannot write ${maxNewTokens} tokens after a prompt of ${longest}: the model has ${positions} positions. Use ` +
      `--max-new-tokens ${Math.max(1, positions - longest)} or less, or a shorter prompt`,
  );
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
