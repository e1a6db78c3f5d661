import type { Timetable } from "../../models/training/loop.ts";
import { stepsOf } from "../../base/fields.ts";
import type { MicroBatch, PackedData } from "./packed_data.ts";

/** When a run logs, evaluates and saves, and where it ends. */
export interface StepPlanOptions {
  loggingSteps: number;
  numTrainEpochs: number;
  /** 0: by epochs alone. */
  maxSteps: number;
  /** Below 1 a share of all steps; 0: after each epoch. */
  evalSteps: number;
  /** Below 1 a share of all steps; 0: as `evalSteps`. */
  saveSteps: number;
}

/** Which micro batches each optimizer step takes: fixed by data and seed, whatever was interrupted. */
export class StepPlan implements Timetable {
  /** Optimizer steps of the whole run. */
  readonly total: number;
  /** Micro batches of the largest step. */
  readonly mostMicroBatches: number;
  #data: PackedData;
  #options: StepPlanOptions;
  /** First step after each epoch. */
  #ends: number[] = [];

  constructor(data: PackedData, options: StepPlanOptions) {
    this.#data = data;
    this.#options = options;
    let end = 0;
    let most = 1;
    for (let epoch = 0; epoch < options.numTrainEpochs; epoch++) {
      end += data.steps(epoch);
      this.#ends.push(end);
      most = Math.max(most, data.mostMicroBatches(epoch));
      if (options.maxSteps > 0 && end >= options.maxSteps) break;
    }
    this.mostMicroBatches = most;
    this.total = options.maxSteps > 0 ? Math.min(options.maxSteps, end) : end;
  }

  /** Micro batches of step `step`, from 0: all, or those from `first` up to, not including, `end`. */
  microBatches(step: number, first?: number, end?: number): MicroBatch[] {
    const epoch = this.#epochOf(step);
    return this.#data.microBatches(epoch, step - this.#startOf(epoch), first, end);
  }

  /** Number of micro batches of step `step`, from 0. */
  microBatchCount(step: number): number {
    const epoch = this.#epochOf(step);
    return this.#data.microBatchCount(epoch, step - this.#startOf(epoch));
  }

  /** Packed tokens of the steps from `first` up to, not including, `end`. */
  tokens(first: number, end: number): number {
    let sum = 0;
    for (let step = first; step < end; step++) {
      const epoch = this.#epochOf(step);
      sum += this.#data.tokens(epoch, step - this.#startOf(epoch));
    }
    return sum;
  }

  /** Epochs done after `steps` steps, such as 1.5. */
  epochAt(steps: number): number {
    const epoch = this.#epochOf(steps - 1);
    const start = this.#startOf(epoch);
    return epoch + (steps - start) / (this.#ends[epoch] - start);
  }

  /** Whether `steps` steps are all. */
  isOver(steps: number): boolean {
    return steps >= this.total;
  }

  /** Whether a line of the log follows after `steps` steps: on multiples of loggingSteps, whatever was interrupted. */
  isLog(steps: number): boolean {
    return steps % this.#options.loggingSteps === 0;
  }

  /** Whether a validation follows after `steps` steps. */
  isEvaluation(steps: number): boolean {
    return this.#isDue(steps, stepsOf(this.#options.evalSteps, this.total));
  }

  /** Whether a checkpoint follows after `steps` steps. */
  isSave(steps: number): boolean {
    return this.#isDue(steps, stepsOf(this.#options.saveSteps || this.#options.evalSteps, this.total));
  }

  #isDue(steps: number, every: number): boolean {
    return every > 0 ? steps % every === 0 : this.#ends.includes(steps);
  }

  #epochOf(step: number): number {
    return this.#ends.findIndex((end) => step < end);
  }

  #startOf(epoch: number): number {
    return epoch === 0 ? 0 : this.#ends[epoch - 1];
  }
}

/** Checkpoints of a whole run of `total` steps. */
export function savesOf(plan: Pick<Timetable, "isSave"> & { total: number }): number {
  let count = 1; // the last one
  for (let steps = 1; steps < plan.total; steps++) count += plan.isSave(steps) ? 1 : 0;
  return count;
}
