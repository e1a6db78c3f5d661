import type { TrainingState } from "../../models/training/state.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { sumByLabel } from "../../kernels/reduce/sum_by_label.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import type { DealtStep } from "../ranks/dealt_step.ts";
import type { MicroBatch } from "./packed_data.ts";

/** Means over the steps since the last line of the log. */
export interface LoggedLoss {
  /** Loss of the steps, the mean over target tokens weighted as in training. */
  loss: number;
  /** The same of each task that had targets. */
  byTask: Record<string, number>;
  /** First of these steps whose loss is not finite, counted from the last line; undefined where all are. */
  firstBad: number | undefined;
}

/** Room of a {@link LossLog}. */
export interface LossLogSize {
  /** Steps between lines. */
  steps: number;
  /** Target rows of a micro batch. */
  rows: number;
  /** Micro batches of the largest step. */
  microBatches: number;
}

/**
 * Losses by step, micro batch and task, summed on the device, so that a step needs no read. What was not logged yet can
 * be saved and restored, so that a resumed run writes the same lines. Of several ranks each sums its own micro batches;
 * together they are those that one rank would have had.
 */
export class LossLog {
  #device: Device;
  #tasks: readonly string[];
  /** (steps, micro batches, tasks) loss sums. */
  #sums: Flat;
  #microBatches: number;
  #world: World;
  /** Row of the step in {@link #sums}. */
  #step = 0;
  #row: Flat;
  #labels: Flat;
  /** Shares of the tasks in the loss weight of each step, on the host. */
  #shares: number[][] = [];

  constructor(
    device: Device,
    tasks: readonly string[],
    { steps, rows, microBatches }: LossLogSize,
    world: World = ALONE,
  ) {
    this.#device = device;
    this.#tasks = tasks;
    this.#microBatches = microBatches;
    this.#world = world;
    this.#sums = device.createFlat("f32", steps * microBatches * tasks.length);
    this.#row = device.createFlat("u32", 4);
    this.#labels = device.createFlat("u32", rows);
  }

  /** Notes a step's weights. */
  begin(step: number, { taskWeights, weightSum }: DealtStep): void {
    this.#shares[step] = taskWeights.map((weight) => weight / weightSum);
    this.#step = step;
  }

  /** Uploads where the losses of a micro batch belong. Before its work is recorded: an upload submits what came before. */
  prepare({ labels }: MicroBatch, place: number): void {
    this.#device.write(this.#row, Uint32Array.of(this.#step * this.#microBatches + place));
    this.#device.write(this.#labels, labels);
  }

  /** Records the sums of the prepared micro batch's row losses. */
  record(rowLoss: Flat): void {
    sumByLabel(this.#device, rowLoss, this.#labels, this.#tasks.length, this.#sums, this.#row);
  }

  /** Sums and shares of the first `steps` rows, for {@link restore}. */
  async pending(steps: number): Promise<{ sums: number[]; shares: number[][] }> {
    const [sums] = await this.#device.read(this.#sums);
    const byStep = await this.#byStep(sums, steps);
    return { sums: byStep.flat(), shares: this.#shares.slice(0, steps) };
  }

  /** Puts back what {@link pending} gave. */
  restore({ sums, shares }: { sums: number[]; shares: number[][] }): void {
    // As if of each step's first micro batch; of several ranks the first one keeps them.
    const width = this.#tasks.length;
    const placed = new Float32Array(shares.length * this.#microBatches * width);
    if (this.#world.rank === 0) {
      sums.forEach((sum, i) => placed[Math.floor(i / width) * this.#microBatches * width + i % width] = sum);
    }
    this.#device.write(this.#sums, placed);
    this.#shares = [...shares];
  }

  /** The array to read for {@link summary}. */
  get sums(): Flat {
    return this.#sums;
  }

  /** Means over the first `steps` rows of what was read; the log begins anew. */
  async summary(sums: Float32Array, steps: number): Promise<LoggedLoss> {
    const byStep = await this.#byStep(sums, steps);
    const totals = this.#tasks.map(() => 0);
    const shares = this.#tasks.map(() => 0);
    let firstBad: number | undefined;
    for (let step = 0; step < steps; step++) {
      for (const [task, sum] of byStep[step].entries()) {
        if (!Number.isFinite(sum)) firstBad ??= step;
        totals[task] += sum;
        shares[task] += this.#shares[step][task];
      }
    }
    const loss = totals.reduce((a, b) => a + b, 0) / steps;
    const byTask = Object.fromEntries(
      this.#tasks.flatMap((name, task) => shares[task] > 0 ? [[name, totals[task] / shares[task]]] : []),
    );
    this.#shares = [];
    this.#device.clear(this.#sums);
    return { loss, byTask, firstBad };
  }

  /** (steps, tasks) sums over the micro batches of all ranks, in their order, as f32. */
  async #byStep(sums: Float32Array, steps: number): Promise<number[][]> {
    const width = this.#tasks.length;
    const own = sums.subarray(0, steps * this.#microBatches * width).slice();
    const ofRanks = await this.#world.gather(new Uint8Array(own.buffer));
    const all = ofRanks.map((bytes) => new Float32Array(bytes.slice().buffer));
    return Array.from({ length: steps }, (_, step) =>
      Array.from({ length: width }, (_, task) => {
        let sum = 0;
        for (let place = 0; place < this.#microBatches; place++) {
          // A micro batch is of one rank, the others have 0.
          for (const sums of all) sum += sums[(step * this.#microBatches + place) * width + task];
        }
        return Math.fround(sum);
      }));
  }

  /** Frees the arrays. */
  destroy(): void {
    for (const flat of [this.#sums, this.#row, this.#labels]) this.#device.destroy(flat);
  }
}

/** Where a run stands, beside its arrays. All that exact resume needs: data order and dropout follow from step and seed. */
export interface TrainerState extends TrainingState {
  /** Losses since the last log line: see `LossLog`. */
  pending: { sums: number[]; shares: number[][] };
}

/** The state before the first step. */
export function freshTrainerState(): TrainerState {
  return { step: 0, best: null, seconds: 0, pending: { sums: [], shares: [] }, validationDue: false };
}
