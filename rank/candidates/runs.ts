import type { CandidateGenerator } from "./candidates.ts";

/** What the runs list. */
export const runCandidates: CandidateGenerator = {
  name: "runs",
  summary: "the lists of the runs",
  propose: ({ lists }) => lists.flatMap(({ items, candidates }) => items.slice(0, candidates)),
};
