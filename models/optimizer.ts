import { adamw } from "../kernels/adamw.ts";
import { UserError } from "../data/user_error.ts";
import type { Device } from "../kernels/device.ts";
import { GRAD_NORM_SCRATCH, gradNorm } from "../kernels/grad_norm.ts";
import type { Flat } from "../kernels/tensor.ts";
import type { Parameters } from "./parameters.ts";

/** Settings of AdamW, clipping and EMA. */
export interface OptimizerOptions {
  beta1: number;
  beta2: number;
  eps: number;
  /** Decoupled weight decay, on matrices only. */
  weightDecay: number;
  /** Largest global gradient norm; 0 never clips. */
  maxGradNorm: number;
  /** Decay of the running mean of the weights (EMA); 0 keeps none. */
  emaDecay: number;
}

/** Host copies of an optimizer's arrays, by name. */
export type OptimizerState = Record<string, Float32Array>;

/** AdamW (Loshchilov and Hutter 2019) over all parameters of a model, clipping and EMA included: three dispatches a step. */
export class Optimizer {
  /** [norm, clip scale, 1 if the norm is not finite, 0] of the last step. */
  readonly gradientNorm: Flat;
  #device: Device;
  #parameters: Parameters;
  #options: OptimizerOptions;
  #m: Flat;
  #v: Flat;
  #ema: Flat | undefined;
  #backup: Flat | undefined;
  #hyper: Flat;
  #scratch: Flat;

  constructor(parameters: Parameters, options: OptimizerOptions) {
    const { device, length } = parameters;
    this.#device = device;
    this.#parameters = parameters;
    this.#options = options;
    this.#m = device.createFlat("f32", length);
    this.#v = device.createFlat("f32", length);
    this.#hyper = device.createFlat("f32", 4);
    this.#scratch = device.createFlat("f32", GRAD_NORM_SCRATCH);
    this.gradientNorm = device.createFlat("f32", 4);
    if (options.emaDecay > 0) {
      this.#ema = device.createFlat("f32", length);
      this.#backup = device.createFlat("f32", length);
      device.copy(parameters.values, this.#ema);
    }
  }

  /** Uploads what step `step` (0-based) needs. Call before its work is recorded: an upload submits what came before. */
  prepare(step: number, learningRate: number): void {
    const { beta1, beta2, emaDecay } = this.#options;
    const t = step + 1;
    // A young mean follows the weights closely, as in TensorFlow's ExponentialMovingAverage(num_updates).
    const decay = Math.min(emaDecay, (1 + t) / (10 + t));
    this.#device.write(
      this.#hyper,
      new Float32Array([learningRate, 1 / (1 - beta1 ** t), 1 / (1 - beta2 ** t), decay]),
    );
  }

  /** Records one update from the accumulated gradients and renews the weights that layers read. */
  step(): void {
    const { length, decayLength, values, gradients } = this.#parameters;
    const { beta1, beta2, eps, weightDecay, maxGradNorm } = this.#options;
    gradNorm(this.#device, gradients, length, this.#scratch, this.gradientNorm, maxGradNorm);
    adamw(
      this.#device,
      { values, gradients, m: this.#m, v: this.#v, ema: this.#ema },
      this.#hyper,
      this.gradientNorm,
      { beta1, beta2, eps, weightDecay, decayLength, length },
    );
    this.#parameters.refresh();
  }

  /** Runs `work` with the averaged weights in place of the trained ones; without EMA, with the trained ones. */
  async withAverage<T>(work: () => Promise<T>): Promise<T> {
    const { values } = this.#parameters;
    if (!this.#ema || !this.#backup) return await work();
    this.#device.copy(values, this.#backup);
    this.#device.copy(this.#ema, values);
    this.#parameters.refresh();
    try {
      return await work();
    } finally {
      this.#device.copy(this.#backup, values);
      this.#parameters.refresh();
    }
  }

  /** Values, moments and average, read back. */
  async state(): Promise<OptimizerState> {
    const arrays: Record<string, Flat> = { values: this.#parameters.values, m: this.#m, v: this.#v };
    if (this.#ema) arrays.ema = this.#ema;
    const data = await this.#device.read(...Object.values(arrays));
    return Object.fromEntries(Object.keys(arrays).map((name, i) => [name, data[i]]));
  }

  /** Puts a state back that was read from `source`. Throws {@link UserError} for arrays of another length. */
  restore(state: OptimizerState, source: string): void {
    const arrays: Record<string, Flat | undefined> = {
      values: this.#parameters.values,
      m: this.#m,
      v: this.#v,
      ema: this.#ema,
    };
    for (const [name, flat] of Object.entries(arrays)) {
      if (!flat) continue;
      if (state[name]?.length !== flat.length) {
        throw new UserError(
          `Cannot resume from ${source}: array ${name} has ${
            state[name]?.length ?? 0
          } numbers, expected ${flat.length}. ` +
            "Use a checkpoint of this run",
        );
      }
      this.#device.write(flat, state[name]);
    }
    this.#parameters.refresh();
  }

  destroy(): void {
    const flats = [this.#m, this.#v, this.#ema, this.#backup, this.#hyper, this.#scratch, this.gradientNorm];
    for (const flat of flats) if (flat) this.#device.destroy(flat);
  }
}
