import { z } from "zod";
import type { Wording } from "./write_prompts.ts";

/** One row of `sft/*.json`, in the order of its fields. */
export const SftRow = z.strictObject({
  system: z.string(),
  instruction: z.string(),
  input: z.string(),
  output: z.string(),
});
export type SftRow = z.infer<typeof SftRow>;

/** One row of `rl/*.json`, in the order of its fields. */
export const RlRow = z.strictObject({
  data_source: z.string(),
  prompt: z.tuple([
    z.strictObject({ role: z.literal("system"), content: z.string() }),
    z.strictObject({ role: z.literal("user"), content: z.string() }),
  ]),
  ability: z.string(),
  reward_model: z.strictObject({ style: z.string(), ground_truth: z.string() }),
  extra_info: z.strictObject({ split: z.string(), index: z.int(), task: z.string() }),
});
export type RlRow = z.infer<typeof RlRow>;

/** What a row asks and expects, whichever file it is in. */
export interface Question {
  wording: Wording;
  answer: string;
}

/** The kinds of file. */
export const STAGES = ["sft", "rl"] as const;
export type Stage = typeof STAGES[number];

/** Names of a task in RL rows. */
export interface RlTask {
  ability: string;
  task: string;
}

/** History of SIDs -> SID: the task whose rows are the dataset's samples. */
export const NEXT_SID: RlTask = { ability: "seq_rec", task: "task1_sid_sft" };

/** An SFT row; `input` has no places left. */
export function sftRow({ system, instruction = "", input }: Wording, output: string): SftRow {
  return { system, instruction, input, output };
}

/** An RL row; `index` is its number in its task. */
export function rlRow(
  { system, input }: Wording,
  answer: string,
  { ability, task, source, split, index }: RlTask & { source: string; split: string; index: number },
): RlRow {
  return {
    data_source: source,
    prompt: [{ role: "system", content: system }, { role: "user", content: input }],
    ability,
    reward_model: { style: "rule", ground_truth: answer },
    extra_info: { split, index, task },
  };
}

/** The question in a row. */
export function questionIn(row: SftRow | RlRow): Question {
  if ("output" in row) {
    const { output, ...wording } = row;
    return { wording, answer: output };
  }
  const [{ content: system }, { content: input }] = row.prompt;
  return { wording: { system, input }, answer: row.reward_model.ground_truth };
}

/** Attributes of a sample, under `mimigenrec`: where its rows stand and how they are worded. */
export type SampleRows = Partial<Record<Stage, RowPlace | null>>;

/** A row of a file; `null` in its stead says that the file has none for the sample. */
export interface RowPlace {
  /** Place in the file, from 0; absent where that is the sample's own in its split. */
  row?: number;
  /** What an RL row calls its place before the shuffle; absent where that is the sample's own. */
  index?: number;
  /** Place in the list of wordings; absent for our own. */
  wording?: number;
  /** The row itself, where the sample and the wording do not give it back. */
  verbatim?: SftRow | RlRow;
}

/** Whether an answer is a SID alone. */
export function isSid(answer: string): boolean {
  return /^(<[a-z]_\d+>)+$/.test(answer);
}

const SID_LIST = /(?:<[a-z]_\d+>)+(?:, (?:<[a-z]_\d+>)+)*/g;

/** The history in a text, as it stands there and as joined SIDs; undefined unless there is exactly one. */
export function historyIn(input: string): { text: string; sids: string[] } | undefined {
  const lists = input.match(SID_LIST);
  return lists?.length === 1 ? { text: lists[0], sids: lists[0].split(", ") } : undefined;
}
