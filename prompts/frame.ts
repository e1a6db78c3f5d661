import { Template } from "@huggingface/jinja";
import { UserError } from "../base/user_error.ts";
import { parseSlotText, type SlotText } from "./slot_text.ts";
import type { FrameTemplate } from "./template.ts";

/** What stands around a task's words. */
export interface Frame {
  /** Parts of the prompt. */
  prompt: readonly SlotText[];
  /** The answer and its end. */
  target: SlotText;
  /** What follows an answer where the user says more, up to the next answer; undefined where nothing may. */
  followUp: readonly SlotText[] | undefined;
  /** Whether BOS stands before the prompt where the tokenizer has one: a chat template writes its own. */
  addsBos: boolean;
}

const PROMPT_SLOTS = ["system", "instruction", "input", "message", "eos"];
const TARGET_SLOTS = ["output", "eos"];

/**
 * The frame that a template file spells out, with its part for a system where `hasSystem`. Throws `UserError` naming the
 * place that is wrong or missing.
 */
export function literalFrame(
  { system = "", prompt, target = "{output}{eos}" }: FrameTemplate,
  source: string,
  hasSystem: boolean,
): Frame {
  const parse = (text: string, field: string) =>
    parseSlotText(text, PROMPT_SLOTS, `prompts ${source}, frame.${field}`);
  const before = system === "" ? [] : [parse(system, "system")];
  if (before.length > 0 && !hasSlot(before[0], "system")) {
    throw new UserError(
      `Cannot read prompts ${source}: frame.system lacks {system}. Add it, or leave it out`,
    );
  }
  const parts = prompt.map((text, i) => parse(text, `prompt part ${i}`));
  const frame: Frame = {
    prompt: [...hasSystem ? before : [], ...parts],
    // What the task is was said before.
    followUp: parts.filter((part) =>
      hasSlot(part, "input", "message") || !hasSlot(part, "system", "instruction")
    ),
    target: parseSlotText(target, TARGET_SLOTS, `prompts ${source}, frame.target`),
    addsBos: true,
  };
  if (!hasSlot(frame.prompt.flat(), "input", "message")) {
    throw new UserError(
      `Cannot read prompts ${source}: frame.prompt lacks {input}, expected it in one of its parts`,
    );
  }
  if (!hasSlot(frame.target, "output")) {
    throw new UserError(`Cannot read prompts ${source}: frame.target lacks {output}. Add it before its end`);
  }
  return frame;
}

function hasSlot(text: SlotText, ...names: string[]): boolean {
  return text.some((part) => typeof part !== "string" && names.includes(part.slot));
}

// Characters for private use stand for what is said, so that a template is rendered once and not for each row.
const MARKS = {
  system: "\ue000s\ue001",
  message: "\ue000m\ue001",
  output: "\ue000o\ue001",
  said: "\ue000u\ue001",
};
const MARK = /\ue000[smou]\ue001/;

/** Texts of the tokens that chat templates name. */
export interface ChatTokens {
  /** `bos_token`. */
  bos?: string;
  /** `eos_token`. */
  eos: string;
}

// Llama's templates state the date: this one, their own where there is no clock, so that a model is not asked in other
// words from one day to the next.
const DATE = "26 Jul 2024";
const CLOCK = `{%- macro strftime_now(format) -%}${DATE}{%- endmacro -%}`;

/**
 * The frame of a checkpoint's own chat template: system, where the task has one, user and assistant; the answer is what
 * the template puts after its generation prompt. Rendered once with marks in place of what is said.
 * @throws {UserError} if the template fails, changes what is said, or starts an answer in another way than it asks for one.
 */
export function chatFrame(template: string, hasSystem: boolean, { bos = "", eos }: ChatTokens): Frame {
  const question = [
    ...(hasSystem ? [{ role: "system", content: MARKS.system }] : []),
    { role: "user", content: MARKS.message },
  ];
  const answered = [...question, { role: "assistant", content: MARKS.output }];
  const said = [...answered, { role: "user", content: MARKS.said }];
  const render = (messages: typeof question, add_generation_prompt: boolean) =>
    new Template(CLOCK + template).render({
      messages,
      add_generation_prompt,
      bos_token: bos,
      eos_token: eos,
      date_string: DATE,
    });
  const fail = (problem: string): never => {
    throw new UserError(
      `Cannot use the chat template of this checkpoint: ${problem}. Use --prompts with a frame of its own`,
    );
  };
  let prompt: string, whole: string, more = "";
  try {
    prompt = render(question, true);
    whole = render(answered, false);
  } catch (error) {
    return fail(`it fails with ${(error as Error).message}`);
  }
  try {
    more = render(said, true);
  } catch {
    // A template for one turn alone, which is said where more are asked for.
  }
  if (!whole.startsWith(prompt)) fail("an answer does not begin where it asks for one");
  const promptParts = parts(prompt), targetParts = parts(whole.slice(prompt.length));
  const expected = [hasSystem ? "system" : "", "message"].filter((slot) => slot !== "").join();
  if (slots(promptParts) !== expected || slots(targetParts) !== "output") {
    fail("it leaves out or repeats what is said");
  }
  // Some templates word an answer otherwise once there is more.
  const followUp = more.startsWith(whole) ? parts(more.slice(whole.length)) : [];
  const goesOn = slots(followUp) === "message";
  return {
    prompt: [promptParts],
    target: targetParts,
    followUp: goesOn ? [followUp] : undefined,
    addsBos: false,
  };
}

function parts(text: string): SlotText {
  const names = Object.entries(MARKS);
  const pieces = text.split(new RegExp(`(${MARK.source})`));
  return pieces.filter((piece) => piece !== "").map((piece) => {
    const name = names.find(([, mark]) => mark === piece)?.[0];
    return name === undefined ? piece : { slot: name === "said" ? "message" : name };
  });
}

function slots(text: SlotText): string {
  return text.flatMap((part) => typeof part === "string" ? [] : part.slot).join();
}
