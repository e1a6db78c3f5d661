import type { RlExample } from "../../../data/packing/rl_examples.ts";
import type { Completion, Reward, RewardMethod } from "./reward.ts";
import { sharedLevels } from "./shared_levels.ts";

/** HEPO's values at 0, 1, 2 and 3 levels of 3. */
const VALUES = [0, 0.2, 0.5, 1];

/** Value of `shared` levels of `depth`: linear between {@link VALUES}, which lie at thirds of the depth. */
function prefixValue(shared: number, depth: number): number {
  const at = shared / depth * (VALUES.length - 1);
  const below = Math.min(Math.floor(at), VALUES.length - 2);
  return VALUES[below] + (at - below) * (VALUES[below + 1] - VALUES[below]);
}

/**
 * Partial credit for the levels that a SID shares with the nearest target from the first on: 0, 0.2, 0.5, 1 for 0 to 3
 * levels of 3 (HEPO of GPR, arXiv:2511.10138, as MiniOneRec has it). SIDs of other depths: linear between these
 * values at thirds of the depth, so half of the levels are worth 0.35; the depth is the longer one's. A level's own
 * value is what could still be earned when it was chosen: the value of all shared levels less that of the shared ones
 * before it.
 */
export const prefix: RewardMethod = {
  name: "prefix",
  aliases: ["hepo"],
  summary: "0, 0.2, 0.5, 1 for 0 to 3 right levels of 3 (HEPO); values by level",
  needsTargets: true,
  create(context): Reward {
    const nearest = (completion: Completion, example: RlExample) =>
      sharedLevels(completion, example, context)
        .map(({ shared, depth }) => ({ shared, depth, value: prefixValue(shared, depth) }))
        .reduce((best, match) => match.value > best.value ? match : best);
    return {
      score: ({ completions, example }) =>
        Float64Array.from(completions, (completion) => nearest(completion, example).value),
      scoreLevels: ({ completions, example }) =>
        completions.map((completion) => {
          const { shared, depth, value } = nearest(completion, example);
          return Float64Array.from(
            completion.tokens,
            (_, level) => value - prefixValue(Math.min(shared, level), depth),
          );
        }),
    };
  },
};
