import { aboutItem, fromItems, missingTitles } from "./examples/from_dataset.ts";
import type { AlignmentTask } from "./task.ts";

/** SID -> title. One row for each different pair: an item whose SID others share keeps its own row. */
export const sidToTitle: AlignmentTask = {
  name: "sid-to-title",
  summary: "SID of an item -> its title",
  wording: {
    instruction: ["Title of", "Name of item", "What is this item called"],
    input: "{sid}",
    output: "{title}",
  },
  question: ["sid"],
  answer: ["title"],
  missing: missingTitles,
  inWords: aboutItem,
  examples: (input) => fromItems(input, "title", (title, sid) => ({ question: { sid }, answer: { title } })),
};
