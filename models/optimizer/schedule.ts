import { stepsOf } from "../../base/fields.ts";

/** Shapes of the learning rate over a run, by the names of Hugging Face's `lr_scheduler_type`. */
export const SCHEDULES = ["constant", "linear", "cosine"] as const;
/** Name of a shape of the learning rate. */
export type ScheduleName = typeof SCHEDULES[number];

/** A learning rate over a run. */
export interface Schedule {
  name: ScheduleName;
  /** Peak learning rate, reached after `warmupSteps`. */
  learningRate: number;
  warmupSteps: number;
  totalSteps: number;
  /** Smallest share of the peak that the decay ends at. */
  minRatio: number;
}

/** What settings say of a schedule. */
export interface ScheduleSettings {
  lrSchedulerType: ScheduleName;
  learningRate: number;
  /** Steps, or below 1 a share of all of them, rounded up. */
  warmupSteps: number;
  /** Default: 0. */
  minLearningRateRatio?: number;
}

/** The schedule of a run of `totalSteps` optimizer steps. */
export function scheduleOf(
  { lrSchedulerType: name, learningRate, warmupSteps, minLearningRateRatio: minRatio = 0 }: ScheduleSettings,
  totalSteps: number,
): Schedule {
  return { name, learningRate, warmupSteps: stepsOf(warmupSteps, totalSteps), totalSteps, minRatio };
}

/** Learning rate of `step` (0-based): linear warmup from 1 / warmupSteps, then the decay to minRatio * learningRate. */
export function learningRateAt(step: number, schedule: Schedule): number {
  const { name, learningRate, warmupSteps, totalSteps, minRatio } = schedule;
  if (step < warmupSteps) return learningRate * (step + 1) / warmupSteps;
  if (name === "constant") return learningRate;
  const done = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const share = name === "linear" ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2;
  return learningRate * (minRatio + (1 - minRatio) * share);
}
