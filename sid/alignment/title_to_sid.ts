import { fromItems, missingTitles } from "./samples.ts";
import type { AlignmentTask } from "./task.ts";

/** Title -> SID. One row for each different pair: a title that items share has one row for each of their SIDs. */
export const titleToSid: AlignmentTask = {
  name: "title-to-sid",
  summary: "title of an item -> its SID",
  question: ["title"],
  answer: ["sid"],
  missing: missingTitles,
  examples: (input) =>
    fromItems(input, "no title", (item) => {
      const title = input.texts.title(item);
      return title === "" ? undefined : { question: { title }, answer: { sid: input.texts.sids[item] } };
    }),
};
