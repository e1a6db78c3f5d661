import { historySids } from "./examples/from_dataset.ts";
import { fromPreferences, missingPreferences } from "./examples/from_preferences.ts";
import type { AlignmentTask } from "./task.ts";

/** What somebody wrote of a user's taste -> SID of the item that the user took next. Source: MiniOneRec. */
export const preferenceToSid: AlignmentTask = {
  name: "preference-to-sid",
  summary: "a user's taste in words -> SID of the next item",
  wording: {
    instruction: ["Next item for taste", "Which item suits this taste next", "Pick the next item by taste"],
    input: "{preference}\n{history}",
    output: "{sid}",
    join: "",
  },
  question: ["preference", "history"],
  answer: ["sid"],
  missing: missingPreferences,
  told: {
    needs: "preference",
    ask: (input, history, { preference = "" } = {}) => ({
      preference: input.texts.asText(preference),
      history: historySids(input, history),
    }),
    answer: ({ texts }, item) => ({ sid: texts.sids[item] }),
  },
  examples: (input) =>
    fromPreferences(input, ({ text, target }, history) => ({
      question: { preference: text, history },
      answer: { sid: input.texts.sids[target] },
      next: target,
    })),
};
