import { fromNextItem, historySids } from "./examples/from_dataset.ts";
import type { AlignmentTask, NextItemTask } from "./task.ts";

const asNextItem: NextItemTask = {
  ask: (input, history) => ({ history: historySids(input, history) }),
  answer: ({ texts }, item) => ({ sid: texts.sids[item] }),
};

/** The task itself: SIDs of a history -> SID of the item after it. One row a train sample. */
export const nextItem: AlignmentTask = {
  name: "next-item",
  summary: "SIDs of a history -> SID of the next item",
  wording: { instruction: "Next item", input: "{history}", output: "{sid}", join: "" },
  question: ["history"],
  answer: ["sid"],
  missing: () => undefined,
  nextItem: asNextItem,
  examples: (input) => fromNextItem(input, "empty history", asNextItem),
};
