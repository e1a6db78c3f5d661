import type { CandidateGenerator } from "./candidates.ts";

/** The user's own items, which are often bought again. */
export const historyCandidates: CandidateGenerator = {
  name: "history",
  summary: "the items of the history",
  propose: ({ history }) => history,
};
