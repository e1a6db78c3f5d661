import { aboutHistory, fromSamples, missingDescriptions } from "./examples/from_dataset.ts";
import type { AlignmentTask } from "./task.ts";

/**
 * SIDs of a history -> description of the item after it. One row a train sample whose target has a description. Source:
 * MiniOneRec, where it goes with titles (FusionSeqRec).
 */
export const historyToDescription: AlignmentTask = {
  name: "history-to-description",
  summary: "SIDs of a history -> description of the next item",
  wording: {
    instruction: ["Description of next item", "Describe what comes next", "What is said of the next item"],
    input: "{history}",
    output: "{description}",
    join: "",
  },
  question: ["history"],
  answer: ["description"],
  missing: missingDescriptions,
  inWords: aboutHistory,
  examples: (input) =>
    fromSamples(input, "no description", ({ target }, history) => {
      const description = input.texts.description(target);
      if (description === "") return undefined;
      return { question: aboutHistory.ask(input, history), answer: { description }, next: target };
    }),
};
