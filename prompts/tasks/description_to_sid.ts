import { cleanText } from "../../data/item_text.ts";
import { fromItems, missingDescriptions } from "./examples/from_dataset.ts";
import type { AlignmentTask } from "./task.ts";

/** Description -> SID. One row for each different pair. */
export const descriptionToSid: AlignmentTask = {
  name: "description-to-sid",
  summary: "description of an item -> its SID",
  wording: {
    instruction: ["Item described", "Which item is this", "Find the item of this description"],
    input: "{description}",
    output: "{sid}",
  },
  question: ["description"],
  answer: ["sid"],
  missing: missingDescriptions,
  oneItem: {
    knows: ({ description = "" }) => cleanText(description) !== "",
    ask: ({ texts }, history) => ({ description: texts.description(history.at(-1)!) }),
    answer: ({ texts }, item) => ({ sid: texts.sids[item] }),
  },
  examples: (input) =>
    fromItems(input, "description", (description, sid) => ({ question: { description }, answer: { sid } })),
};
