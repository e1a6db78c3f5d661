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
  examples: (input) =>
    fromItems(input, "description", (description, sid) => ({ question: { description }, answer: { sid } })),
};
