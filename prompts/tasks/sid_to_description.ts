import { aboutItem, fromItems, missingDescriptions } from "./examples/from_dataset.ts";
import type { AlignmentTask } from "./task.ts";

/** SID -> description. One row for each different pair. */
export const sidToDescription: AlignmentTask = {
  name: "sid-to-description",
  summary: "SID of an item -> its description",
  wording: {
    instruction: ["Description of", "Describe", "What is said of"],
    input: "{sid}",
    output: "{description}",
  },
  question: ["sid"],
  answer: ["description"],
  missing: missingDescriptions,
  inWords: aboutItem,
  examples: (input) =>
    fromItems(input, "description", (description, sid) => ({ question: { sid }, answer: { description } })),
};
