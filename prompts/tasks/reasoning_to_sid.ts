import { historySids } from "./examples/from_dataset.ts";
import { fromPreferences, missingPreferences } from "./examples/from_preferences.ts";
import type { AlignmentTask } from "./task.ts";

/** SIDs of a history -> reasoning in words, then the SID of the next item. Source: MiniOneRec. */
export const reasoningToSid: AlignmentTask = {
  name: "reasoning-to-sid",
  summary: "SIDs of a history -> reasoning in words and SID of the next item",
  wording: {
    instruction: [
      "Reasons, then next item",
      "Say why, then the next item",
      "Think of reasons, then pick the next item",
    ],
    input: "{history}",
    output: "{reasoning}\n{sid}",
    join: "",
  },
  question: ["history"],
  answer: ["reasoning", "sid"],
  missing: missingPreferences,
  told: {
    needs: "reasoning",
    ask: (input, history) => ({ history: historySids(input, history) }),
    answer: ({ texts }, item, { reasoning = "" } = {}) => ({
      reasoning: texts.asText(reasoning),
      sid: texts.sids[item],
    }),
  },
  examples: (input) =>
    fromPreferences(input, ({ text, target }, history) => ({
      question: { history },
      answer: { reasoning: text, sid: input.texts.sids[target] },
      next: target,
    })),
};
