import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import {
  type LossScaleOptions,
  lossScaleUpdate,
  lossScaleWeights,
} from "../../kernels/optimizer/loss_scale.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";

/** Those of torch.amp.GradScaler; the scale starts at `most`, and a loss that is not finite at `least` has diverged. */
const SCALES: LossScaleOptions = { interval: 2000, least: 1, most: 65536 };

/**
 * Dynamic loss scaling (Micikevicius et al. 2018) for devices whose matrices are float16, where small gradients would
 * become 0: backward passes start from scaled loss weights, `update()` undoes the scale before the optimizer's step. A
 * step that overflows changes nothing but the scale, which halves; it counts as a step of the schedule and of Adam's bias
 * correction. The scale lives on the device: nothing is read back.
 */
export class LossScaling {
  #device: Device;
  #options: LossScaleOptions;
  #state: Flat;
  #scaled = new Map<Flat, Flat>();

  /** Starts at the largest scale. */
  constructor(device: Device, options: Partial<LossScaleOptions> = {}) {
    this.#device = device;
    this.#options = { ...SCALES, ...options };
    this.#state = device.createFlat("f32", new Float32Array([this.#options.most, 0, 0, 0]));
  }

  /** That of a device whose matrices are float16; undefined on others, which need none. */
  static of(device: Device): LossScaling | undefined {
    return device.dtype === "f16" ? new LossScaling(device) : undefined;
  }

  /** On the device: scale, finite steps in a row, skipped steps, 0. */
  get flat(): Flat {
    return this.#state;
  }

  /** Loss weights f32 (R) as backward passes should take them: times the scale, in an array that is kept and reused. */
  weights(weights: Flat): Flat {
    let scaled = this.#scaled.get(weights);
    if (!scaled) this.#scaled.set(weights, scaled = this.#device.createFlat("f32", weights.length));
    this.scale(weights, scaled);
    return scaled;
  }

  /** from f32 (R) -> to f32 (R): what the backward pass starts from, times the scale. */
  scale(from: Flat, to: Flat): void {
    lossScaleWeights(this.#device, this.#state, from, to);
  }

  /**
   * Between `gradNorm` and the optimizer's kernel: makes of the scaled norm (4) that of the gradients, with the factor
   * that undoes the scale and clips to `maxNorm`, and moves the scale on. See {@link lossScaleUpdate}.
   */
  update(norm: Flat, maxNorm: number): void {
    lossScaleUpdate(this.#device, this.#state, norm, maxNorm, this.#options);
  }

  /** Whether `norm` (4), read back, is that of a run that no smaller scale can save. */
  hasDiverged(norm: Float32Array): boolean {
    return norm[2] !== 0 && norm[3] <= this.#options.least;
  }

  /** Scale, finite steps in a row, skipped steps: for checkpoints and logs. */
  async state(): Promise<Float32Array> {
    const [state] = await this.#device.read(this.#state);
    return state;
  }

  /** Puts a state back that was read from `source`. Throws {@link UserError} for one of another form. */
  restore(state: Float32Array | undefined, source: string): void {
    if (state?.length !== 4 || !(state[0] >= this.#options.least && state[0] <= this.#options.most)) {
      throw new UserError(
        `Cannot resume from ${source}: its loss scale is ${state?.[0] ?? "missing"}, expected ` +
          `${this.#options.least} to ${this.#options.most}. Use a checkpoint of this run, made in float16`,
      );
    }
    this.#device.write(this.#state, state);
  }

  destroy(): void {
    for (const flat of [this.#state, ...this.#scaled.values()]) this.#device.destroy(flat);
  }
}
