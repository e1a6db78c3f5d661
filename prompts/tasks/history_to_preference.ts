import { aboutHistory } from "./examples/from_dataset.ts";
import { fromPreferences, missingPreferences } from "./examples/from_preferences.ts";
import type { AlignmentTask } from "./task.ts";

/** SIDs of a history -> what somebody wrote of the user's taste: the summary alone, no item. Source: MiniOneRec. */
export const historyToPreference: AlignmentTask = {
  name: "history-to-preference",
  summary: "SIDs of a history -> the user's taste in words",
  wording: {
    instruction: ["Taste of user", "What does this user like", "Sum up the taste behind these"],
    input: "{history}",
    output: "{preference}",
    join: "",
  },
  question: ["history"],
  answer: ["preference"],
  missing: missingPreferences,
  inWords: aboutHistory,
  examples: (input) =>
    fromPreferences(input, ({ text }, history) => ({ question: { history }, answer: { preference: text } })),
};
