import type { CandidateGenerator } from "./candidates.ts";
import * as registry from "./registry.ts";

/** Every source of candidates, in the order of their names. */
export const CANDIDATE_GENERATORS: readonly CandidateGenerator[] = Object.values(registry);
