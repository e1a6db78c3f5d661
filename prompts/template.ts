import { z } from "zod";
import { UserError } from "../base/user_error.ts";
import { readYaml } from "../base/yaml.ts";

const text = z.string({ error: "text" });

const WordsSchema = z.strictObject({
  system: text.optional(),
  instruction: z.union([text, z.array(text).min(1)], { error: "text or a list of texts" }).default(""),
  input: text,
  output: text,
  entry: text.default("{}"),
  join: text.default(", "),
  rows: z.int().optional(),
});

const TaskTemplateSchema = z.strictObject({ ...WordsSchema.shape, also: z.array(WordsSchema).optional() });

const FrameSchema = z.strictObject({
  system: text.optional(),
  prompt: z.array(text).min(1),
  target: text.default("{output}{eos}"),
});

const TemplatesSchema: z.ZodType<CompleteTemplates> = z.strictObject({
  name: text,
  system: text.default(""),
  frame: z.union([z.literal("chat"), FrameSchema], { error: '"chat", or prompt and target' }),
  tasks: z.record(z.string(), TaskTemplateSchema),
});

/** How a task is worded. */
export interface TaskTemplate {
  /** In place of the set's own. */
  system?: string;
  /** What to do; of several, row i has number i modulo their count. Default: "". */
  instruction?: string | string[];
  /** What to do it with. */
  input: string;
  /** The answer. */
  output: string;
  /** How each entry of a list is written, with `{}` for the entry. Default: `{}`. */
  entry?: string;
  /** What stands between the entries of a list. Default: `, `. */
  join?: string;
  /** Rows of a file that have these words, where they were found there; absent for words that somebody chose. */
  rows?: number;
  /** Further words that the rows of the file have, for whoever reads: the model is asked in those above. */
  also?: Omit<TaskTemplate, "also">[];
}

/** What stands around every task. */
export interface FrameTemplate {
  /**
   * A part before the others where there is a system text, with a place `{system}`. Default: none, so that a system is
   * said where a part of `prompt` has the place alone.
   */
  system?: string;
  /** Parts of the prompt, each turned into tokens by itself, so that no token reaches over their borders. */
  prompt: string[];
  /** The answer and its end. Default: `{output}{eos}`. */
  target?: string;
}

/**
 * All words that a model is asked in, a file for `--prompts`:
 *
 * ```yaml
 * name: mine
 * system: You know this shop.           # {system} of the frame; may be left out
 * frame:                                # or `frame: chat` for the chat template of the checkpoint
 *   system: "{system}\n"                # a part before those of the prompt, where there is a system; may be left out
 *   prompt:                             # places: {system} {instruction} {input} {message} {eos}
 *     - "{instruction}\n"
 *     - "{input}\n"
 *   target: "{output}\n{eos}"           # places: {output} {eos}
 * tasks:
 *   next-item:                          # a name of prompts/tasks/registry.ts
 *     instruction: What comes next?     # or a list of wordings, dealt out to the rows in turn
 *     input: "Taken so far: {history}"  # the task's own places, and {category}
 *     output: "{sid}"
 *     entry: '"{}"'                     # around each entry of a list
 *     join: ", "                        # between them
 * ```
 *
 * `{message}` is instruction and input with a line end between them, or the input alone where there is no instruction.
 * A beginning-of-text token stands before the first part where the tokenizer has one, except with `frame: chat`, where
 * the chat template says so. The same words are used for training, reinforcement, evaluation and recommendation.
 */
export interface Templates {
  /** For reports. */
  name: string;
  /** What the model is told to be. Default: "". */
  system?: string;
  /** What stands around every task, or the chat template of the checkpoint. */
  frame: "chat" | FrameTemplate;
  /** Wordings by task name. */
  tasks: Record<string, TaskTemplate>;
}

/** {@link Templates} with every default filled in. */
export interface CompleteTemplates extends Templates {
  /** See {@link Templates}. */
  system: string;
  /** See {@link Templates}. */
  frame: "chat" | Required<Omit<FrameTemplate, "system">> & Pick<FrameTemplate, "system">;
  /** See {@link Templates}. */
  tasks: Record<
    string,
    & Required<Pick<TaskTemplate, "instruction" | "input" | "output" | "entry" | "join">>
    & Pick<TaskTemplate, "system" | "rows" | "also">
  >;
}

/** Checks templates and fills in defaults. Throws `UserError` naming the field that does not fit. */
export function completeTemplates(templates: unknown, source: string): CompleteTemplates {
  const parsed = TemplatesSchema.safeParse(templates);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new UserError(
    `Cannot read prompts ${source}, field ${
      path.join(".") || "(whole)"
    }: ${message}. Expected name, frame and tasks; ` +
      "each task has input and output, and may have system, instruction, entry and join",
  );
}

/** Reads a template file in YAML or JSON. Throws `UserError` naming file and field. */
export function parseTemplates(text: string, source: string): CompleteTemplates {
  return completeTemplates(readYaml(text, `prompts ${source}`), source);
}

/** Part of a frame that says a system text first of all, where the frame has no place for one. */
export const SYSTEM_PART = "{system}\n";

/** Whether a system text is said somewhere. */
export function saysSystem({ frame }: Pick<Templates, "frame">): boolean {
  return frame === "chat" || [frame.system ?? "", ...frame.prompt].some((part) => part.includes("{system}"));
}
