import type { Dataset } from "../../../../data/dataset.ts";
import type { Completion, Reward, RewardContext, RewardGroup } from "../../../../train/rl/rewards/reward.ts";
import { rewardMethod } from "../../../../train/rl/rewards/by_name.ts";

/** SIDs of 6 items; 4 and 5 share one. */
export const ITEM_TOKENS = [[10, 20, 30], [10, 20, 31], [10, 21, 30], [11, 20, 30], [12, 22, 32], [
  12,
  22,
  32,
]]
  .map((tokens) => Uint32Array.from(tokens));

/** A catalogue of 6 items, Item 0 to Item 5, bought 9, 4, 1, 0, 1 and 0 times. */
export function exampleContext(context: Partial<RewardContext> = {}): RewardContext {
  const dataset: Dataset = {
    name: "example",
    source: "",
    license: "",
    items: ITEM_TOKENS.map((_, item) => ({ title: `Item ${item}` })),
    samples: {
      train: [
        { user: "a", history: [0, 0, 0, 0, 0, 0, 0, 0, 0], target: 1 },
        { user: "b", history: [1], target: 2 },
        { user: "b", history: [1, 2], target: 1 },
        { user: "c", history: [4], target: 1 },
      ],
      valid: [],
      test: [],
    },
    histories: [],
    files: [],
  };
  return { dataset, itemTokens: ITEM_TOKENS, device: noDevice, warn: () => {}, ...context };
}

/** Answers: the SIDs of `items`, best first in a ranked group. */
export function exampleGroup(
  items: number[],
  targets: number[],
  { history = [], logProbs }: { history?: number[]; logProbs?: number[] } = {},
): RewardGroup {
  return {
    example: { prompt: new Uint32Array(0), targets, history, task: 0 },
    completions: items.map((item, place): Completion => ({
      tokens: ITEM_TOKENS[item],
      items: item >= 4 ? [4, 5] : [item],
      logProb: logProbs?.[place] ?? -place,
    })),
    ranked: logProbs === undefined,
  };
}

/** A reward of the registry. */
export async function makeReward(
  name: string,
  context: RewardContext = exampleContext(),
  settings: Record<string, unknown> = {},
): Promise<Reward> {
  const method = rewardMethod(name);
  return await method.create(context, method.Config?.parse(settings));
}

/** Values of a reward, to 6 decimals. */
export async function valuesOf(
  name: string,
  group: RewardGroup,
  context: RewardContext = exampleContext(),
  settings: Record<string, unknown> = {},
): Promise<number[]> {
  return rounded(await (await makeReward(name, context, settings)).score(group));
}

/** Numbers to 6 decimals, as the hand-worked ones are written. */
export function rounded(values: Iterable<number>): number[] {
  return Array.from(values, (value) => Math.round(value * 1e6) / 1e6 + 0);
}

/** No reward of the tests computes on a device. */
function noDevice(): Promise<never> {
  return Promise.reject(new Error("no device"));
}
