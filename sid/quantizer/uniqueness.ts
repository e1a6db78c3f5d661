import type { Device } from "../../kernels/gpu/device.ts";
import { sumFlat } from "../../kernels/reduce/sum.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { extendPaths, uniquenessLoss, uniquenessLossBackward } from "../../kernels/quantizer/uniqueness.ts";
import type { QuantizedLatents } from "../../models/quantizer/residual.ts";

/** The uniqueness loss of a training: drives latents of a batch apart whose codes are the same on every level. */
export class Uniqueness {
  /** Loss of each row of the last step, f32. */
  readonly rowLoss: Flat;
  readonly #device: Device;
  readonly #weight: number;
  readonly #paths: [Flat, Flat];
  readonly #spread: Flat;

  /** Room for batches of `rows`; `weight` is that of a pair, divided by the rows of its batch. */
  constructor(device: Device, rows: number, weight: number) {
    this.#device = device;
    this.#weight = weight;
    this.rowLoss = device.createFlat("f32", rows);
    this.#paths = [device.createFlat("u32", rows), device.createFlat("u32", rows)];
    this.#spread = device.createFlat("f32", 1);
  }

  /** Adds the loss of latents (N, D) to a step. `weights` f32 are 1 / (N width) for every row. */
  add(
    tape: Tape,
    latents: Matrix,
    { labels, distances }: QuantizedLatents,
    weights: Flat,
    width: number,
  ): void {
    const device = this.#device;
    let paths = labels[0];
    labels.slice(1).forEach((label, i) => {
      const extended = this.#paths[i % 2];
      extendPaths(device, paths, label, latents.rows, extended);
      paths = extended;
    });
    const spread = this.#spread;
    sumFlat(device, distances.at(-1)!, latents.rows, spread, 0);
    const options = { margin: 1, weight: this.#weight * width };
    uniquenessLoss(device, latents, paths, spread, weights, this.rowLoss, options);
    tape.record(() => {
      tape.accumulate(latents, uniquenessLossBackward(device, latents, paths, spread, weights, options));
    });
  }

  /** Frees everything on the device. */
  destroy(): void {
    [this.rowLoss, ...this.#paths, this.#spread].forEach((flat) => this.#device.destroy(flat));
  }
}
