import { fromSamples, historyTitles, missingTitles } from "./examples/from_dataset.ts";
import type { AlignmentTask } from "./task.ts";

/** Titles of a history -> title of the item after it. Items without a title are left out of the history. */
export const titlesToTitle: AlignmentTask = {
  name: "titles-to-title",
  summary: "titles of a history -> title of the next item",
  wording: {
    instruction: [
      "Next title after titles",
      "Which title follows these",
      "After these titles comes the title",
    ],
    input: "{titles}",
    output: "{title}",
    join: "\n",
  },
  question: ["titles"],
  answer: ["title"],
  missing: missingTitles,
  inWords: { about: "history", ask: (input, history) => ({ titles: historyTitles(input, history) }) },
  examples: (input) =>
    fromSamples(input, "no title", ({ target }, history) => {
      const titles = historyTitles(input, history), title = input.texts.title(target);
      return titles.length === 0 || title === ""
        ? undefined
        : { question: { titles }, answer: { title }, next: target };
    }),
};
