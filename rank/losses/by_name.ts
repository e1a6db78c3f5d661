import type { RankingLoss } from "./losses.ts";
import * as registry from "./registry.ts";

/** Every ranking loss, in the order of their names. */
export const RANKING_LOSSES: readonly RankingLoss[] = Object.values(registry);
