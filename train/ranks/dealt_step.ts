import { branchOf } from "../../base/parallel/tree_sum.ts";
import { gatherJson, type World } from "../../base/parallel/world.ts";
import { UserError } from "../../base/user_error.ts";
import type { MicroBatch } from "../run/packed_data.ts";

/** Micro batches of an optimizer step as they are dealt to ranks: the same ones, however many ranks there are. */
export interface DealtStep {
  /** Those of this rank, in order. */
  micro: readonly MicroBatch[];
  /** Number of the first of them among all. */
  first: number;
  /** Number of all. */
  count: number;
  /** Ranks that have any: the first ones. */
  branches: number;
  /** Sum of the loss weights of all. */
  weightSum: number;
  /** The same by task. */
  taskWeights: readonly number[];
  /** Whether any rank was told to stop. */
  isStopped: boolean;
}

/** What is dealt. */
export interface StepParts {
  /** Micro batches of the step, of all ranks together. */
  count: number;
  /** Those from `first` up to, not including, `end`. */
  make(first: number, end: number): MicroBatch[];
  /** Number of tasks of the labels. */
  tasks: number;
  /** Whether this rank was told to stop. */
  isStopped: boolean;
}

/** Deals a step; all ranks ask for the same one. Each makes its own micro batches, and learns what those of others weigh. */
export async function dealStep(
  world: World,
  { count, make, tasks, isStopped }: StepParts,
): Promise<DealtStep> {
  const { first, end, branches } = branchOf(count, world);
  const micro = make(first, end);
  const found = await gatherJson(world, {
    weights: micro.map((batch) => weightsOf(batch, tasks)),
    isStopped,
  });
  const weights = found.flatMap(({ weights }) => weights);
  return {
    micro,
    first,
    count,
    branches,
    weightSum: weights.reduce((sum, { all }) => sum + all, 0),
    taskWeights: Array.from(
      { length: tasks },
      (_, task) => weights.reduce((sum, { byTask }) => sum + byTask[task], 0),
    ),
    isStopped: found.some(({ isStopped }) => isStopped),
  };
}

/**
 * Throws {@link UserError} where a step of `count` micro batches leaves some ranks without any; `remedy` names the flags
 * that make it more.
 */
export function checkDealt(count: number, world: World, remedy: string): void {
  const { size } = world;
  const { branches: busy } = branchOf(count, world);
  if (busy === size) return;
  throw new UserError(
    `Cannot train on ${size} processes: the micro batches of a step, ${count} of all processes together, would go to ` +
      `${busy} of them. Use ${remedy}, or start fewer processes, best 2, 4, 8 or another power of two`,
  );
}

/** Loss weights of a micro batch. */
function weightsOf({ packed, labels }: MicroBatch, tasks: number): { all: number; byTask: number[] } {
  const byTask = new Array<number>(tasks).fill(0);
  for (let row = 0; row < packed.counts.targets; row++) byTask[labels[row]] += packed.targetWeights[row];
  return { all: packed.counts.weightSum, byTask };
}
