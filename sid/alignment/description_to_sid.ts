import { fromItems, missingDescriptions } from "./samples.ts";
import type { AlignmentTask } from "./task.ts";

/** Description -> SID. One row for each different pair. */
export const descriptionToSid: AlignmentTask = {
  name: "description-to-sid",
  summary: "description of an item -> its SID",
  question: ["description"],
  answer: ["sid"],
  missing: missingDescriptions,
  examples: (input) =>
    fromItems(input, "no description", (item) => {
      const description = input.texts.description(item);
      return description === ""
        ? undefined
        : { question: { description }, answer: { sid: input.texts.sids[item] } };
    }),
};
