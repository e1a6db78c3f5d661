import { fromItems, missingTitles } from "./samples.ts";
import type { AlignmentTask } from "./task.ts";

/** SID -> title. One row for each different pair: an item whose SID others share keeps its own row. */
export const sidToTitle: AlignmentTask = {
  name: "sid-to-title",
  summary: "SID of an item -> its title",
  question: ["sid"],
  answer: ["title"],
  missing: missingTitles,
  examples: (input) =>
    fromItems(input, "no title", (item) => {
      const title = input.texts.title(item);
      return title === "" ? undefined : { question: { sid: input.texts.sids[item] }, answer: { title } };
    }),
};
