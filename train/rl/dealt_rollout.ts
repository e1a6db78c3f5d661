import { gatherJson, type World } from "../../base/parallel/world.ts";
import type { RlExample } from "../../data/packing/rl_examples.ts";
import type { GroupScore, RewardSet } from "./reward_set.ts";
import type { AnswerGroup, Rollout, Written } from "./rollout.ts";

/** What a step of all ranks learns from. */
export interface DealtRollout {
  /** Answers to each example, in the order of the examples. */
  groups: AnswerGroup[];
  /** What they are worth. */
  scores: GroupScore[];
  /** Whether any rank was told to stop. */
  isStopped: boolean;
}

/** What ranks share in a rollout. */
export interface RolloutParts {
  world: World;
  rollout: Rollout;
  rewards: RewardSet;
  /** Whether this rank was told to stop. */
  isStopped: boolean;
  /** Called between answers and rewards, in all ranks. */
  onWritten(): Promise<void>;
}

/**
 * Answers to the examples of step `step`, and what they are worth. Each rank answers the prompts of a share and scores
 * what it has written; all end with all groups, those that one rank alone would have.
 */
export async function dealtRollout(
  { world, rollout, rewards, isStopped, onWritten }: RolloutParts,
  examples: readonly RlExample[],
  step: number,
): Promise<DealtRollout> {
  const share = {
    first: Math.floor(examples.length * world.rank / world.size),
    end: Math.floor(examples.length * (world.rank + 1) / world.size),
  };
  const own = [...await rollout.write(examples, step, share)];
  await onWritten();
  const answered = await Promise.all(own.map(async ([i, written]) => {
    const score = await rewards.score(rollout.group(examples[i], written));
    return { i, written, score: listsOf(score) };
  }));
  const found = await gatherJson(world, { answered, isStopped });
  const byExample: { written: Written; score: GroupScore }[] = [];
  for (const { i, written, score } of found.flatMap(({ answered }) => answered)) {
    byExample[i] = { written, score: numbersOf(score) };
  }
  return {
    groups: byExample.map(({ written }, i) => rollout.group(examples[i], written)),
    scores: byExample.map(({ score }) => score),
    isStopped: found.some(({ isStopped }) => isStopped),
  };
}

/** A score as JSON has it. */
interface ScoreLists {
  total: number[];
  normalised?: number[];
  byReward: number[][];
  levels?: number[][];
  hits: boolean[];
  taught?: GroupScore["taught"];
}

const listOf = (values: Float64Array) => [...values];
const numbers = (values: number[]) => Float64Array.from(values);

function listsOf({ total, normalised, byReward, levels, hits, taught }: GroupScore): ScoreLists {
  return {
    total: listOf(total),
    ...(normalised && { normalised: listOf(normalised) }),
    byReward: byReward.map(listOf),
    ...(levels && { levels: levels.map(listOf) }),
    hits,
    ...(taught && { taught }),
  };
}

function numbersOf({ total, normalised, byReward, levels, hits, taught }: ScoreLists): GroupScore {
  return {
    total: numbers(total),
    ...(normalised && { normalised: numbers(normalised) }),
    byReward: byReward.map(numbers),
    ...(levels && { levels: levels.map(numbers) }),
    hits,
    ...(taught && { taught }),
  };
}
