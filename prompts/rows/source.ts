import type { PackInput } from "../../data/packing/sequences.ts";
import type { SequenceSource } from "../../data/packing/sequence_source.ts";
import { UserError } from "../../base/user_error.ts";
import { sidTokenIds } from "../../models/tokenizer/config.ts";
import type { Prompts } from "../prompts.ts";
import { mixedOrder, rowsPerEpoch, type TaskRange } from "./mix.ts";
import { planTasks, type TaskPlanOptions } from "./task_plan.ts";
import { RowStore } from "./row_store.ts";
import type { AlignmentTask, Example } from "../tasks/task.ts";
import { valueWeights } from "./value_weights.ts";

/** What happens to a row of more than `maxLength` tokens. */
export const LONG_SEQUENCES = ["error", "truncate", "skip"] as const;
/** One of {@link LONG_SEQUENCES}: stop before training, leave out the oldest of a history, or leave out the row. */
export type LongSequences = typeof LONG_SEQUENCES[number];

/** What each token of an answer weighs. */
export const LOSS_NORMALISATIONS = ["token", "sample"] as const;
/** One of {@link LOSS_NORMALISATIONS}: every token the same, or every row the same whatever its length. */
export type LossNormalisation = typeof LOSS_NORMALISATIONS[number];

/** What to train on, and how. */
export interface AlignmentOptions extends TaskPlanOptions {
  /** Most tokens of prompt and answer together. */
  maxLength: number;
  /** Default: truncate. */
  longSequences?: LongSequences;
  /** Default: token; sample where `valueAware` is set. */
  lossNormalisation?: LossNormalisation;
  /** Weighs rows by the value of the next item, at least by this share of the mean: see {@link valueWeights}. */
  valueAware?: { floor: number };
  /**
   * Loss weight of the SIDs in the history of rows that ask for the next item, as a share of that of the answer: each
   * item of a history is a next item too, so a row teaches more. Default: 0, the answer alone.
   */
  historyLossWeight?: number;
  /** Tokens that prompts leave room for by the name of the task, where others than the answer of the row may follow. */
  roomForAnswers?: Readonly<Record<string, number>>;
  /** Called after each thousand rows. */
  onProgress?(done: number, total: number): void;
}

/** What became of a task's rows. */
export interface TaskReport {
  /** Name of the task. */
  name: string;
  /** Rows to train on. */
  rows: number;
  /** Rows in an epoch. */
  rowsPerEpoch: number;
  /** Input tokens of all rows. */
  tokens: number;
  /** Tokens with a loss. */
  targets: number;
  /** Tokens of the longest row. */
  longest: number;
  /** Rows that lost the oldest of their history. */
  truncated: number;
  /** What is no row, by reason. */
  leftOut: Record<string, number>;
}

/** Rows of alignment tasks as token sequences; only answers have a loss. */
export interface AlignmentSource extends SequenceSource {
  /** Rows of each task, as in `tasks`. */
  readonly ranges: readonly TaskRange[];
  /** What became of the rows of each task. */
  readonly report: readonly TaskReport[];
  /** Rows of an epoch, in the order to train on them: follows from seed and epoch alone. */
  order(epoch: number, seed: number): Uint32Array;
  /** What the model reads in row `i`. A view, not a copy. */
  prompt(i: number): Uint32Array;
  /** What the model is to write in row `i`. A view, not a copy. */
  target(i: number): Uint32Array;
  /** What row `i` is made of. */
  example(i: number): Example;
}

const PROGRESS_EVERY = 1000;

/**
 * Builds all rows of the tasks at once, as tokens alone: four bytes each.
 * @throws {UserError} for an unknown task, one that the data or the templates have nothing for, no rows at all, or rows
 *   that are longer than `maxLength` where that is an error.
 */
export function alignmentSource(options: AlignmentOptions): AlignmentSource {
  const { dataset, prompts, maxLength, longSequences = "truncate", valueAware } = options;
  const plan = planTasks(options);
  const total = plan.reduce((sum, { examples }) => sum + examples.count, 0);

  const store = new RowStore(), promptLengths: number[] = [], places: number[] = [], values: number[] = [];
  const ranges: TaskRange[] = [], report: TaskReport[] = [];
  let done = 0, tooLong = 0, longest = 0;
  for (const { task, weight, examples } of plan) {
    const start = store.count;
    const own: TaskReport = {
      name: task.name,
      rows: 0,
      rowsPerEpoch: 0,
      tokens: 0,
      targets: 0,
      longest: 0,
      truncated: 0,
      leftOut: { ...examples.leftOut },
    };
    const targets = new TargetTokens(prompts, task, options.texts.sids, options.roomForAnswers?.[task.name]);
    for (let i = 0; i < examples.count; i++) {
      if (++done % PROGRESS_EVERY === 0 || done === total) options.onProgress?.(done, total);
      const { question, answer, next } = examples.example(i);
      const { target, room } = targets.of(answer, maxLength);
      let prompt = prompts.prompt(task, question, i);
      if (prompt!.length > room) {
        tooLong++;
        longest = Math.max(longest, prompt!.length + target.length);
        prompt = longSequences === "truncate" ? prompts.prompt(task, question, i, room) : undefined;
        if (prompt === undefined) {
          own.leftOut["longer than the context"] = (own.leftOut["longer than the context"] ?? 0) + 1;
          continue;
        }
        own.truncated++;
      }
      store.add(prompt!, target);
      promptLengths.push(prompt!.length);
      places.push(i);
      values.push((next === undefined ? undefined : dataset.items[next].finalValue) ?? NaN);
      own.tokens += prompt!.length + target.length - 1;
      own.targets += target.length;
      own.longest = Math.max(own.longest, prompt!.length + target.length);
    }
    const range = { name: task.name, start, count: store.count - start, weight };
    own.rows = range.count;
    own.rowsPerEpoch = rowsPerEpoch(range);
    ranges.push(range);
    report.push(own);
  }
  if (longSequences === "error" && tooLong > 0) {
    throw new UserError(
      `Cannot train on these rows: ${tooLong} of ${total} are longer than the ${maxLength} tokens allowed, the longest ` +
        `has ${longest}. Raise --max-length, shorten --max-history, or pass --long-sequences truncate or skip`,
    );
  }
  if (store.count === 0) {
    const reasons = report.flatMap(({ name, leftOut }) =>
      Object.entries(leftOut).map(([reason, count]) => `${name}: ${count} with ${reason}`)
    );
    throw new UserError(
      `Cannot train on ${dataset.name}: its tasks have no rows${
        reasons.length > 0 ? ` (${reasons.join("; ")})` : ""
      }. Choose other --tasks`,
    );
  }

  const bySample = (options.lossNormalisation ?? (valueAware ? "sample" : "token")) === "sample";
  const weights = valueAware && valueWeights(Float64Array.from(values), valueAware.floor);
  const starts = Uint32Array.from(promptLengths);
  const { historyLossWeight = 0 } = options;
  const sidTokens = new Set(
    sidTokenIds(prompts.tokenizer, options.texts.sidTokens).flatMap((ids) => [...ids]),
  );
  const asksNext = plan.map(({ task }) => task.nextItem !== undefined);
  const taskOf = (i: number) => ranges.findLastIndex(({ start, count }) => count > 0 && start <= i);
  return {
    count: store.count,
    tasks: plan.map(({ task }) => task.name),
    ranges,
    report,
    taskOf,
    order: (epoch, seed) => mixedOrder(ranges, epoch, seed),
    prompt: (i) => store.row(i).subarray(0, starts[i]),
    target: (i) => store.row(i).subarray(starts[i]),
    example: (i) => plan[taskOf(i)].examples.example(places[i]),
    make(i): PackInput {
      const row = store.row(i), answer = row.subarray(starts[i]);
      const weight = (weights?.[i] ?? 1) / (bySample ? answer.length : 1);
      const targets: PackInput["targets"] = [];
      if (historyLossWeight > 0 && asksNext[taskOf(i)]) {
        for (let place = 1; place < starts[i]; place++) {
          if (!sidTokens.has(row[place])) continue;
          targets.push({ at: place - 1, token: row[place], weight: weight * historyLossWeight });
        }
      }
      answer.forEach((token, place) => targets.push({ at: starts[i] - 1 + place, token, weight }));
      return { tokens: row.subarray(0, row.length - 1), targets };
    },
  };
}

/** Answers as tokens; those of SIDs are made once. */
class TargetTokens {
  #prompts: Prompts;
  #task: AlignmentTask;
  #known = new Map<string, Uint32Array>();
  #longest: number;

  constructor(prompts: Prompts, task: AlignmentTask, sids: readonly string[], longest = 0) {
    this.#prompts = prompts;
    this.#task = task;
    this.#longest = Math.max(longest, isSidAlone(task) ? longestTarget(prompts, task, sids) : 0);
  }

  /** The tokens, and how many a prompt may have: the same before every SID, since whoever asks does not know it yet. */
  of(answer: Readonly<Record<string, string | readonly string[]>>, maxLength: number) {
    const sid = isSidAlone(this.#task) ? answer.sid as string : undefined;
    let target = sid === undefined ? undefined : this.#known.get(sid);
    if (target === undefined) {
      target = this.#prompts.target(this.#task, answer);
      if (sid !== undefined) this.#known.set(sid, target);
    }
    return { target, room: maxLength - Math.max(target.length, this.#longest) };
  }
}

/** Whether a task's answers are SIDs and nothing else. */
export function isSidAlone({ answer }: AlignmentTask): boolean {
  return answer.length === 1 && answer[0] === "sid";
}

/** Tokens of the longest answer that is one of these SIDs, the end of the frame included. */
export function longestTarget(prompts: Prompts, task: AlignmentTask, sids: readonly string[]): number {
  return sids.reduce((most, sid) => Math.max(most, prompts.target(task, { sid }).length), 0);
}
