import { UserError } from "../base/user_error.ts";
import type { Asker } from "../data/dataset.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "./tasks/by_name.ts";
import type { TextPromptsOptions } from "./text_options.ts";
import type { NextItemPrompts, WrittenReasons } from "./next_item.ts";
import { type AlignmentTask, type NextItemTask, sidQuestion, type Slots } from "./tasks/task.ts";
import { sidTokenIds } from "../models/tokenizer/config.ts";

/** Tokens of reasons by default, where half of the context is no less. */
export const REASON_TOKENS = 128;

/**
 * Prompts for evaluation, reinforcement and recommendation: the very tokens that the rows of the same task are trained
 * on.
 * @throws {UserError} for a task that is not answered with a SID, an index that the tokenizer does not know, or a
 *   `maxLength` without room for a history of one item.
 */
export function textPrompts(options: TextPromptsOptions): NextItemPrompts {
  const { prompts, texts, maxHistory, maxLength = Infinity, task: name = "next-item" } = options;
  const task = alignmentTask(name, "recommend with task");
  const asking = sidQuestion(task);
  if (asking === undefined) {
    const fit = ALIGNMENT_TASKS.filter((task) => sidQuestion(task) !== undefined).map(({ name }) => name);
    throw new UserError(
      `Cannot recommend with task ${name}: its answers are not SIDs. Use ${fit.join(", ")}`,
    );
  }
  const sidIds = sidTokenIds(prompts.tokenizer, texts.sidTokens);
  // What was learned of rows is written as their answers were, quotation marks and all.
  const isLearned = name === "rows" && prompts.templates.tasks["next-item"]?.rows !== undefined;
  const written = isLearned ? alignmentTask("next-item") : task;
  const answerOf = (item: number) => sidQuestion(written)!.answer(options, item);
  const whole = sidIds.map((_, item) => prompts.target(written, answerOf(item)));
  const reasoned = task.told?.needs === "reasoning"
    ? new Reasoned(task, asking, options, whole[0], sidIds)
    : undefined;
  const start = reasoned?.marker.length ?? 0;
  const answers = whole.map((tokens) => tokens.subarray(start));
  const cut = answers.map((tokens, item) => tokens.slice(0, tokens.lastIndexOf(sidIds[item].at(-1)!) + 1));
  const longest = answers.reduce((most, { length }) => Math.max(most, length), 0);
  const room = maxLength - longest - (reasoned?.most ?? 0);
  const questionOf = (history: readonly number[], asker?: Asker): Slots => {
    const question = asking.ask(options, history.slice(-maxHistory), asker);
    const [first] = asker?.turns ?? [];
    return first ? { ...question, turn: texts.asText(first.said) } : question;
  };
  // Each answer as it was given, and what the user said to it.
  const dialogueOf = ({ turns = [] }: Asker): Uint32Array =>
    Uint32Array.from(
      turns.slice(1).flatMap(({ said }, i) => {
        const { answered, reasoning } = turns[i];
        if (answered === undefined) {
          throw new RangeError(
            `Turn ${i} of ${turns.length} has no answer: expected one of all but the last`,
          );
        }
        const answer = sidQuestion(written)!.answer(options, answered, { reasoning });
        return [
          ...prompts.target(written, answer),
          ...prompts.followUp(task, { turn: texts.asText(said) }),
        ];
      }),
    );
  return {
    text: options,
    ...(reasoned && { reasons: reasoned }),
    vocabulary: prompts.tokenizer.vocabulary,
    itemTokens: options.end ?? hasPrefix(cut) ? answers : cut,
    prompt(history, asker = {}) {
      const dialogue = dialogueOf(asker);
      const prompt = prompts.prompt(task, questionOf(history, asker), 0, room - dialogue.length) ??
        noRoom(maxLength);
      const before = asker.reasoning === undefined ? undefined : reasoned?.before(asker);
      return Uint32Array.of(...prompt, ...dialogue, ...before ?? []);
    },
    said(history, asker = {}) {
      const dialogue = dialogueOf(asker);
      const said = prompts.said(task, questionOf(history, asker), 0, room - dialogue.length) ??
        noRoom(maxLength);
      return { ...said, prompt: said.prompt + prompts.tokenizer.decode(dialogue, true) };
    },
  };
}

/** Answers that begin with reasons: what stands before the SID is part of what the model has read. */
class Reasoned implements WrittenReasons {
  readonly most: number;
  readonly stop: ReadonlySet<number>;
  /** Tokens between reasons and SID. */
  readonly marker: Uint32Array;
  #task: AlignmentTask;
  #asking: NextItemTask;
  #options: TextPromptsOptions;
  #sidStart: (tokens: Uint32Array) => number;

  /** `whole` is an answer without reasons, `sidIds` are the tokens of all SIDs. */
  constructor(
    task: AlignmentTask,
    asking: NextItemTask,
    options: TextPromptsOptions,
    whole: Uint32Array,
    sidIds: readonly Uint32Array[],
  ) {
    const { prompts, maxLength = Infinity, maxNewTokens = 0 } = options;
    const sidTokens = new Set(sidIds.flatMap((ids) => [...ids]));
    this.#task = task;
    this.#asking = asking;
    this.#options = options;
    this.#sidStart = (tokens) => tokens.findIndex((token) => sidTokens.has(token));
    this.most = maxNewTokens || Math.min(REASON_TOKENS, Math.max(1, Math.floor(maxLength / 2)));
    this.stop = new Set([...sidTokens, prompts.eosId]);
    this.marker = whole.slice(0, this.#sidStart(whole));
  }

  text(tokens: Uint32Array): string {
    return this.#options.prompts.tokenizer.decode(tokens, true).trim();
  }

  /** Reasons and marker as an answer has them, tokens that reach over their border too. */
  before(asker: Asker): Uint32Array {
    const answer = this.#options.prompts.target(this.#task, this.#asking.answer(this.#options, 0, asker));
    const lead = answer.subarray(0, this.#sidStart(answer));
    if (lead.length <= this.most) return lead;
    return Uint32Array.of(...lead.subarray(0, Math.max(0, this.most - this.marker.length)), ...this.marker);
  }
}

function noRoom(maxLength: number): never {
  throw new UserError(
    `Cannot ask for the next item: even a history of one item, or a question without one, has no room in ${maxLength} ` +
      "tokens, the --max-length of the training. Raise it there, lower --max-new-tokens where reasons are written, or say fewer turns",
  );
}

/** Whether one of the sequences begins another one. */
function hasPrefix(sequences: readonly Uint32Array[]): boolean {
  const ends = new Set(sequences.map((tokens) => tokens.join()));
  return sequences.some((tokens) => tokens.some((_, i) => i > 0 && ends.has(tokens.subarray(0, i).join())));
}
