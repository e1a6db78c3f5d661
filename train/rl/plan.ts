import type { RlExample, RlExamples } from "../../data/packing/rl_examples.ts";
import { stepsOf } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import { learningRateAt, type Schedule, scheduleOf } from "../../models/optimizer/schedule.ts";
import type { Timetable } from "../../models/training/loop.ts";
import type { RlConfig } from "./config.ts";

/** What each step asks, and how fast it learns: fixed by examples and settings, whatever was interrupted. */
export class RlPlan implements Timetable {
  /** Steps of the whole run. */
  readonly total: number;
  /** Steps of an epoch. */
  readonly perEpoch: number;
  #examples: RlExamples;
  #config: RlConfig;
  #schedule: Schedule;
  #order: { epoch: number; examples: Uint32Array } | undefined;

  /** @throws {UserError} without examples. */
  constructor(examples: RlExamples, config: RlConfig) {
    const { promptsPerStep, numTrainEpochs, maxSteps, seed } = config;
    if (examples.count === 0) {
      throw new UserError("Cannot train: there are no examples. Choose other --tasks");
    }
    this.#examples = examples;
    this.#config = config;
    this.perEpoch = Math.ceil(examples.order(0, seed).length / promptsPerStep);
    const steps = this.perEpoch * numTrainEpochs;
    this.total = maxSteps > 0 ? Math.min(maxSteps, steps) : steps;
    const warmupSteps = Math.ceil(config.warmupRatio * this.total);
    this.#schedule = scheduleOf({ ...config, warmupSteps }, this.total);
  }

  /** Whether `steps` steps are all. */
  isOver(steps: number): boolean {
    return steps >= this.total;
  }

  /** Whether a line of the log follows after `steps` steps. */
  isLog(steps: number): boolean {
    return steps % this.#config.loggingSteps === 0;
  }

  /** Whether a validation follows after `steps` steps. */
  isEvaluation(steps: number): boolean {
    return steps % stepsOf(this.#config.evalSteps, this.total) === 0;
  }

  /** Whether a checkpoint follows after `steps` steps. */
  isSave(steps: number): boolean {
    return steps % stepsOf(this.#config.saveSteps || this.#config.evalSteps, this.total) === 0;
  }

  /** Learning rate of step `step`, from 0. */
  learningRate(step: number): number {
    return learningRateAt(step, this.#schedule);
  }

  /** What step `step` asks, from 0. */
  examples(step: number): RlExample[] {
    return Array.from(this.#asked(step), (i) => this.#examples.make(i));
  }

  /** The step whose prompts have the most tokens together; `lengths` has those of each example's. */
  longestStep(lengths: Uint32Array): number {
    let longest = 0;
    let most = -1;
    for (let step = 0; step < this.total; step++) {
      const tokens = this.#asked(step).reduce((sum, i) => sum + lengths[i], 0);
      if (tokens > most) [longest, most] = [step, tokens];
    }
    return longest;
  }

  /** Numbers of the examples of a step. */
  #asked(step: number): Uint32Array {
    const epoch = Math.floor(step / this.perEpoch);
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, examples: this.#examples.order(epoch, this.#config.seed) };
    }
    const { promptsPerStep } = this.#config;
    const first = step % this.perEpoch * promptsPerStep;
    return this.#order.examples.subarray(first, first + promptsPerStep);
  }
}
