import { untitled } from "../../data/corpus_dataset.ts";
import { fromItems, missingTitles } from "./examples/from_dataset.ts";
import type { AlignmentTask } from "./task.ts";

/** Title -> SID. One row for each different pair: a title that items share has one row for each of their SIDs. */
export const titleToSid: AlignmentTask = {
  name: "title-to-sid",
  summary: "title of an item -> its SID",
  wording: {
    instruction: ["Item titled", "Find the item named", "Which item is called"],
    input: "{title}",
    output: "{sid}",
  },
  question: ["title"],
  answer: ["sid"],
  missing: missingTitles,
  oneItem: {
    knows: ({ title }, number) => title !== untitled(number),
    ask: ({ texts }, history) => ({ title: texts.title(history.at(-1)!) }),
    answer: ({ texts }, item) => ({ sid: texts.sids[item] }),
  },
  examples: (input) => fromItems(input, "title", (title, sid) => ({ question: { title }, answer: { sid } })),
};
