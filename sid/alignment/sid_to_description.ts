import { fromItems, missingDescriptions } from "./samples.ts";
import type { AlignmentTask } from "./task.ts";

/** SID -> description. One row for each different pair. */
export const sidToDescription: AlignmentTask = {
  name: "sid-to-description",
  summary: "SID of an item -> its description",
  question: ["sid"],
  answer: ["description"],
  missing: missingDescriptions,
  examples: (input) =>
    fromItems(input, "no description", (item) => {
      const description = input.texts.description(item);
      return description === ""
        ? undefined
        : { question: { sid: input.texts.sids[item] }, answer: { description } };
    }),
};
