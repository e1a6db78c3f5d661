import type { AlignmentTask } from "./task.ts";

const SID = /<[a-z]_\d+>/g;

/** Rows taken as they are, such as those of MIMIGenRec's `sft/*.json`: every text is the file's. */
export const rows: AlignmentTask = {
  name: "rows",
  summary: "rows of a file, as they are worded there",
  question: ["system", "instruction", "input"],
  answer: ["output"],
  missing: ({ rows }) =>
    rows?.length
      ? undefined
      : "rows in sft/train.json of its directory, as MIMIGenRec lays it out (or --rows FILE)",
  tokens: ({ rows = [] }) => [
    ...new Set(
      rows.flatMap(({ instruction, input, output }) => `${instruction} ${input} ${output}`.match(SID) ?? []),
    ),
  ],
  told: {
    needs: "row",
    ask: (_input, _history, { row = { system: "", instruction: "", input: "" } } = {}) => row,
    answer: ({ texts }, item) => ({ output: texts.sids[item] }),
  },
  examples: ({ rows = [] }) => ({
    count: rows.length,
    example(i) {
      const { output, history, kind, ...question } = rows[i];
      return { question, answer: { output }, history, kind };
    },
    leftOut: {},
  }),
};
