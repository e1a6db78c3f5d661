import type { TrainingState } from "../../models/training/state.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { sumByLabel } from "../../kernels/reduce/sum_by_label.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
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

/**
 * Losses by step and task, summed on the device, so that a step needs no read. What was not logged yet can be saved
 * and restored, so that a resumed run writes the same lines.
 */
export class LossLog {
  #device: Device;
  #tasks: readonly string[];
  /** (steps, tasks) loss sums. */
  #sums: Flat;
  #row: Flat;
  #labels: Flat;
  /** Shares of the tasks in the loss weight of each step, on the host. */
  #shares: number[][] = [];

  /** `steps` between lines, `rows` target rows of a micro batch. */
  constructor(device: Device, tasks: readonly string[], steps: number, rows: number) {
    this.#device = device;
    this.#tasks = tasks;
    this.#sums = device.createFlat("f32", steps * tasks.length);
    this.#row = device.createFlat("u32", 4);
    this.#labels = device.createFlat("u32", rows);
  }

  /** Notes a step's weights and uploads which row of the log it has. */
  begin(step: number, micro: readonly MicroBatch[], weightSum: number): void {
    const shares = this.#tasks.map(() => 0);
    for (const { packed, labels } of micro) {
      for (let row = 0; row < packed.counts.targets; row++) shares[labels[row]] += packed.targetWeights[row];
    }
    this.#shares[step] = shares.map((weight) => weight / weightSum);
    this.#device.write(this.#row, Uint32Array.of(step));
  }

  /** Uploads the labels of a micro batch. Before its work is recorded: an upload submits what came before. */
  prepare({ labels }: MicroBatch): void {
    this.#device.write(this.#labels, labels);
  }

  /** Records the sums of the prepared micro batch's row losses. */
  record(rowLoss: Flat): void {
    sumByLabel(this.#device, rowLoss, this.#labels, this.#tasks.length, this.#sums, this.#row);
  }

  /** Sums and shares of the first `steps` rows, for {@link restore}. */
  async pending(steps: number): Promise<{ sums: number[]; shares: number[][] }> {
    const [sums] = await this.#device.read(this.#sums);
    return {
      sums: [...sums.subarray(0, steps * this.#tasks.length)],
      shares: this.#shares.slice(0, steps),
    };
  }

  /** Puts back what {@link pending} gave. */
  restore({ sums, shares }: { sums: number[]; shares: number[][] }): void {
    this.#device.write(this.#sums, Float32Array.from(sums));
    this.#shares = [...shares];
  }

  /** The array to read for {@link summary}. */
  get sums(): Flat {
    return this.#sums;
  }

  /** Means over the first `steps` rows of what was read; the log begins anew. */
  summary(sums: Float32Array, steps: number): LoggedLoss {
    const width = this.#tasks.length;
    const totals = this.#tasks.map(() => 0);
    const shares = this.#tasks.map(() => 0);
    let firstBad: number | undefined;
    for (let step = 0; step < steps; step++) {
      for (let task = 0; task < width; task++) {
        const sum = sums[step * width + task];
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
