import { aboutHistory, fromSamples, missingTitles } from "./examples/from_dataset.ts";
import type { AlignmentTask } from "./task.ts";

/** SIDs of a history -> title of the item after it. One row a train sample whose target has a title. */
export const historyToTitle: AlignmentTask = {
  name: "history-to-title",
  summary: "SIDs of a history -> title of the next item",
  wording: {
    instruction: ["Title of next item", "Name what comes next", "What is the next item called"],
    input: "{history}",
    output: "{title}",
    join: "",
  },
  question: ["history"],
  answer: ["title"],
  missing: missingTitles,
  inWords: aboutHistory,
  examples: (input) =>
    fromSamples(input, "no title", ({ target }, history) => {
      const title = input.texts.title(target);
      if (title === "") return undefined;
      return { question: aboutHistory.ask(input, history), answer: { title }, next: target };
    }),
};
