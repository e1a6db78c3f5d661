import { UserError } from "../base/user_error.ts";
import type { Tokenizer } from "../models/tokenizer/tokenizer.ts";
import { chatTemplateOf, type SpecialTokens, type TokenizerConfig } from "../models/tokenizer/config.ts";
import { alignmentTask } from "./tasks/by_name.ts";
import type { AlignmentTask, Example, Slots } from "./tasks/task.ts";
import { chatFrame, type Frame, literalFrame } from "./frame.ts";
import { fillSlots, parseSlotText, type SlotText } from "./slot_text.ts";
import {
  type CompleteTemplates,
  completeTemplates,
  saysSystem,
  SYSTEM_PART,
  type Templates,
} from "./template.ts";

/** What prompts are made with. */
export interface PromptsOptions {
  /** Wordings: ours, or a user's file. */
  templates: Templates;
  /** With the tokens of the index. */
  tokenizer: Tokenizer;
  /** Ends answers and begins prompts. */
  special: SpecialTokens;
  /** Has the chat template, for `frame: chat`. */
  tokenizerConfig?: TokenizerConfig;
  /** What `{category}` stands for, such as "tools". Default: "items". */
  category?: string;
}

/** A prompt in words. */
export interface AskedTexts {
  /** What the model is told to be; may be empty. */
  system: string;
  /** What to do; may be empty. */
  instruction: string;
  /** What to do it with. */
  input: string;
  /** All of it as the model reads it, special tokens included. */
  prompt: string;
}

interface Wording {
  frame: Frame;
  system: SlotText;
  instructions: readonly SlotText[];
  input: SlotText;
  output: SlotText;
  entry: (text: string) => string;
  join: string;
}

/** Rows of a file are worded there. */
const ROWS = {
  system: "{system}",
  instruction: "{instruction}",
  input: "{input}",
  output: "{output}",
  entry: "{}",
  join: "",
};

/**
 * Turns examples into tokens: the one place where words, frame and tokenizer meet, used by supervised fine-tuning,
 * reinforcement, evaluation and recommendation alike. A prompt is made of the question alone.
 */
export class Prompts {
  /** With the tokens of the index. */
  readonly tokenizer: Tokenizer;
  /** Name of the templates. */
  readonly name: string;
  /** The templates as given: what a run keeps as `prompts.json`. */
  readonly templates: Templates;
  /** Token that ends an answer. */
  readonly eosId: number;
  #options: PromptsOptions;
  #complete: CompleteTemplates;
  #wordings = new Map<string, Wording>();
  #bos: string;
  #eos: string;

  /**
   * Reads all wordings.
   * @throws {UserError} for a place that a task does not have, a frame without its parts, or no chat template.
   */
  constructor(options: PromptsOptions) {
    this.#options = options;
    this.tokenizer = options.tokenizer;
    this.templates = options.templates;
    this.#complete = completeTemplates(options.templates, options.templates.name);
    this.name = this.#complete.name;
    const { bos, eos } = options.special;
    this.eosId = eos;
    this.#eos = this.tokenizer.decode([eos], true);
    this.#bos = bos === undefined ? "" : this.tokenizer.decode([bos], true);
    for (const name of Object.keys(this.#complete.tasks)) this.#wording(alignmentTask(name), false);
  }

  /** Whether the templates word a task. */
  words(task: AlignmentTask): boolean {
    return task.name === "rows" || Object.hasOwn(this.#complete.tasks, task.name);
  }

  /** Every text that a tokenizer has to know for a row: parts of the prompt, then the answer. */
  texts(task: AlignmentTask, { question, answer }: Example, row = 0): string[] {
    const wording = this.#wording(task, hasSystem(question));
    return [...this.#promptTexts(wording, question, row, 0), this.#targetText(wording, answer)];
  }

  /**
   * What the model reads. What the user says after the question, `turn`, follows the input in a line of its own. Of
   * several instructions, row `row` has its own. Where the prompt has more than `room` tokens, the oldest entries of its
   * lists are left out, all but the latest; undefined where that is not enough.
   */
  prompt(
    task: AlignmentTask,
    question: Slots,
    row = 0,
    room = Infinity,
  ): Uint32Array<ArrayBuffer> | undefined {
    const wording = this.#wording(task, hasSystem(question));
    const encode = (dropped: number) =>
      this.#encode(wording.frame, this.#promptTexts(wording, question, row, dropped));
    const whole = encode(0);
    if (whole.length <= room) return whole;
    // The fewest entries to drop, by halving: more dropped is never longer.
    const longest = entriesOf(question);
    if (longest < 2) return undefined;
    let low = 1, high = longest - 1;
    if (encode(high).length > room) return undefined;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (encode(middle).length <= room) high = middle;
      else low = middle + 1;
    }
    return encode(low);
  }

  /** What {@link Prompts.prompt} says: its parts as texts, and the whole as the model reads it. */
  said(task: AlignmentTask, question: Slots, row = 0, room = Infinity): AskedTexts | undefined {
    const prompt = this.prompt(task, question, row, room);
    if (prompt === undefined) return undefined;
    const wording = this.#wording(task, hasSystem(question));
    const longest = Math.max(1, entriesOf(question));
    let dropped = 0;
    const length = () =>
      this.#encode(wording.frame, this.#promptTexts(wording, question, row, dropped)).length;
    while (dropped < longest - 1 && length() > prompt.length) dropped++;
    const { system, instruction, input } = this.#texts(wording, question, row, dropped);
    return { system, instruction, input, prompt: this.tokenizer.decode(prompt, true) };
  }

  /**
   * What follows an answer where the user then says `turn`: the frame around it, without system and instruction, which
   * were said before.
   * @throws {UserError} for a chat template that has no way to go on after an answer.
   */
  followUp(task: AlignmentTask, { turn }: { turn: string }): Uint32Array<ArrayBuffer> {
    const { frame } = this.#wording(task, false);
    if (frame.followUp === undefined) {
      throw new UserError(
        `Cannot ask with prompts ${this.name} in several turns: the chat template of this checkpoint words an answer in ` +
          "another way once more is said. Say one turn alone",
      );
    }
    const said: Record<string, string> = {
      system: "",
      instruction: "",
      input: turn,
      message: turn,
      eos: this.#eos,
    };
    const texts = frame.followUp.map((part) => fillSlots(part, (slot) => said[slot]));
    return this.#encode({ ...frame, addsBos: false }, texts);
  }

  /** What the model writes, with the end of the frame. */
  target(task: AlignmentTask, answer: Slots): Uint32Array<ArrayBuffer> {
    const text = this.#targetText(this.#wording(task, false), answer);
    return this.tokenizer.encode(text, { addSpecialTokens: false });
  }

  #targetText({ frame, output, entry, join }: Wording, answer: Slots): string {
    const text = fillSlots(output, (slot) => slotText(answer[slot], 0, entry, join));
    return fillSlots(frame.target, (slot) => slot === "eos" ? this.#eos : text);
  }

  #promptTexts(wording: Wording, question: Slots, row: number, dropped: number): string[] {
    const said = this.#texts(wording, question, row, dropped);
    return wording.frame.prompt.map((part) => fillSlots(part, (slot) => said[slot]));
  }

  /** What stands for the places of a frame. */
  #texts(wording: Wording, question: Slots, row: number, dropped: number): Record<string, string> {
    const { category = "items" } = this.#options;
    const { instructions, entry, join } = wording;
    const fill = (slot: string) =>
      slot === "category" ? category : slotText(question[slot], dropped, entry, join);
    const instruction = fillSlots(instructions[row % instructions.length], fill);
    const asked = fillSlots(wording.input, fill);
    const input = question.turn === undefined ? asked : `${asked}\n${question.turn}`;
    return {
      system: fillSlots(wording.system, fill),
      instruction,
      input,
      message: instruction === "" ? input : `${instruction}\n${input}`,
      eos: this.#eos,
    };
  }

  #encode(frame: Frame, texts: readonly string[]): Uint32Array<ArrayBuffer> {
    const { bos } = this.#options.special;
    const parts = texts.map((text) => this.tokenizer.encode(text, { addSpecialTokens: false }));
    const start = frame.addsBos && bos !== undefined ? 1 : 0;
    if (parts.every(({ length }) => length === 0) && start === 0) {
      throw new UserError(
        `Cannot ask with prompts ${this.name}: a prompt is empty, expected at least one token. Add words to the frame`,
      );
    }
    const ids = new Uint32Array(parts.reduce((sum, part) => sum + part.length, start));
    if (start === 1) ids[0] = bos!;
    let at = start;
    for (const part of parts) {
      ids.set(part, at);
      at += part.length;
    }
    return ids;
  }

  #wording(task: AlignmentTask, rowHasSystem: boolean): Wording {
    const key = `${task.name} ${rowHasSystem}`;
    let wording = this.#wordings.get(key);
    if (wording === undefined) this.#wordings.set(key, wording = this.#compile(task, rowHasSystem));
    return wording;
  }

  #compile(task: AlignmentTask, rowHasSystem: boolean): Wording {
    const { name, tasks, system: common, frame } = this.#complete;
    const template = task.name === "rows" ? ROWS : tasks[task.name];
    if (template === undefined) {
      throw new UserError(
        `Cannot word task ${task.name}: prompts ${name} have ${
          Object.keys(tasks).join(", ") || "no task"
        }. ` +
          "Add the task to the file, or leave it out of --tasks",
      );
    }
    const parse = (field: string, text: string, slots: readonly string[]) =>
      parseSlotText(text, slots, `prompts ${name}, tasks.${task.name}.${field}`);
    const asked = [...task.question, "category"];
    const system = template.system ?? common;
    const isTold = task.name === "rows" ? rowHasSystem : system !== "";
    // What a row of a file says first is not left out where the frame was made for other tasks.
    const needsPlace = task.name === "rows" && isTold && !saysSystem(this.#complete);
    const [before, after, ...more] = template.entry.split("{}");
    if (after === undefined || more.length > 0) {
      throw new UserError(
        `Cannot read prompts ${name}, tasks.${task.name}.entry: found ${JSON.stringify(template.entry)}, ` +
          "expected one {} for the entry",
      );
    }
    return {
      frame: frame === "chat"
        ? this.#chat(isTold)
        : literalFrame(needsPlace ? { ...frame, system: SYSTEM_PART } : frame, name, isTold),
      system: parse("system", system, asked),
      instructions: [template.instruction].flat().map((text) => parse("instruction", text, asked)),
      input: parse("input", template.input, asked),
      output: parse("output", template.output, task.answer),
      entry: (text) => before + text + after,
      join: template.join,
    };
  }

  #chat(hasSystem: boolean): Frame {
    const template = chatTemplateOf(this.#options.tokenizerConfig ?? {});
    if (template !== undefined) return chatFrame(template, hasSystem, { bos: this.#bos, eos: this.#eos });
    throw new UserError(
      "Cannot word prompts as chat: the checkpoint has no chat template, expected chat_template in its " +
        "tokenizer_config.json. Add it there, or use other --prompts",
    );
  }
}

/** Entries of the longest list of a question. */
function entriesOf(question: Slots): number {
  return Object.values(question).reduce(
    (most, slot) => typeof slot === "string" ? most : Math.max(most, slot.length),
    0,
  );
}

function hasSystem({ system }: Slots): boolean {
  return typeof system === "string" && system !== "";
}

function slotText(
  value: string | readonly string[],
  dropped: number,
  entry: (text: string) => string,
  join: string,
): string {
  if (typeof value === "string") return value;
  return value.slice(Math.min(dropped, value.length - 1)).map(entry).join(join);
}
