import { fromNextItem, historyTitles, missingTitles } from "./examples/from_dataset.ts";
import type { AlignmentTask, NextItemTask } from "./task.ts";

const asNextItem: NextItemTask = {
  ask: (input, history) => ({ titles: historyTitles(input, history) }),
  answer: ({ texts }, item) => ({ sid: texts.sids[item] }),
};

/** Titles of a history -> SID of the item after it. Items without a title are left out of the history. */
export const titlesToSid: AlignmentTask = {
  name: "titles-to-sid",
  summary: "titles of a history -> SID of the next item",
  wording: { instruction: "Next item after titles", input: "{titles}", output: "{sid}", join: "\n" },
  question: ["titles"],
  answer: ["sid"],
  missing: missingTitles,
  nextItem: asNextItem,
  examples: (input) => fromNextItem(input, "no title", asNextItem),
};
