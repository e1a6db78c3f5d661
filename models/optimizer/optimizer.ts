import { adamw } from "../../kernels/optimizer/adamw.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { GRAD_NORM_SCRATCH, gradNorm } from "../../kernels/optimizer/grad_norm.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { lengthOf, readParts, readSegments, writeSegments } from "../parameters/flat_segments.ts";
import type { LossScaling } from "./loss_scaling.ts";
import type { Parameters } from "../parameters/parameters.ts";

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

/** Values of one of these arrays from `from` on. */
export interface StatePart {
  /** Name of the array. */
  name: string;
  /** Number of the first value. */
  from: number;
  /** Values. */
  data: Float32Array;
}

/**
 * AdamW (Loshchilov and Hutter 2019) over all that is trained of a model, clipping and EMA included: three dispatches a
 * step where it fits one buffer. Frozen parameters cost nothing here.
 */
export class Optimizer {
  /** [norm, clip scale, 1 if the norm is not finite, loss scale or 0] of the last step. */
  readonly gradientNorm: Flat;
  /** What it trains. */
  readonly parameters: Parameters;
  #device: Device;
  #options: OptimizerOptions;
  #lossScaling: LossScaling | undefined;
  #m: Flat[];
  #v: Flat[];
  #ema: Flat[] | undefined;
  #backup: Flat[] | undefined;
  #hyper: Flat;
  #scratch: Flat;

  /** `lossScaling`: what the losses were scaled with, where they were. */
  constructor(parameters: Parameters, options: OptimizerOptions, lossScaling?: LossScaling) {
    const { device, segments } = parameters;
    const likeSegments = () => segments.map(({ values }) => device.createFlat("f32", values.length));
    this.#device = device;
    this.parameters = parameters;
    this.#options = options;
    this.#lossScaling = lossScaling;
    this.#m = likeSegments();
    this.#v = likeSegments();
    this.#hyper = device.createFlat("f32", 4);
    this.#scratch = device.createFlat("f32", GRAD_NORM_SCRATCH);
    this.gradientNorm = device.createFlat("f32", 4);
    if (options.emaDecay > 0) {
      this.#ema = likeSegments();
      this.#backup = likeSegments();
      this.#copy(this.#values, this.#ema);
    }
  }

  /** The running mean of the weights, as long as the segments of the parameters; undefined without EMA. */
  get average(): readonly Flat[] | undefined {
    return this.#ema;
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
    const { segments } = this.parameters;
    const { beta1, beta2, eps, weightDecay, maxGradNorm } = this.#options;
    const gradients = segments.map((segment) => segment.gradients);
    gradNorm(this.#device, gradients, this.#scratch, this.gradientNorm, maxGradNorm);
    this.#lossScaling?.update(this.gradientNorm, maxGradNorm);
    segments.forEach(({ values, gradients, decayLength }, i) => {
      const state = { values, gradients, m: this.#m[i], v: this.#v[i], ema: this.#ema?.[i] };
      const options = { beta1, beta2, eps, weightDecay, decayLength, length: values.length };
      adamw(this.#device, state, this.#hyper, this.gradientNorm, options);
    });
    this.parameters.refresh();
  }

  /** Runs `work` with the averaged weights in place of the trained ones; without EMA, with the trained ones. */
  async withAverage<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#ema || !this.#backup) return await work();
    this.#copy(this.#values, this.#backup);
    this.#copy(this.#ema, this.#values);
    this.parameters.refresh();
    try {
      return await work();
    } finally {
      this.#copy(this.#backup, this.#values);
      this.parameters.refresh();
    }
  }

  /** Values, moments and average of all that is trained, read back. */
  async state(): Promise<OptimizerState> {
    const arrays = this.#arrays();
    const data = await readSegments(this.#device, ...Object.values(arrays));
    const state: OptimizerState = Object.fromEntries(Object.keys(arrays).map((name, i) => [name, data[i]]));
    if (this.#lossScaling) state.lossScale = await this.#lossScaling.state();
    return state;
  }

  /** What {@link state} gives, in parts, one in memory at a time, and the lengths of the arrays by name. */
  async readState(): Promise<{ lengths: Map<string, number>; parts: AsyncGenerator<StatePart> }> {
    const arrays = this.#arrays(), device = this.#device;
    const lossScale = await this.#lossScaling?.state();
    const lengths = new Map(Object.entries(arrays).map(([name, flats]) => [name, lengthOf(flats)]));
    if (lossScale) lengths.set("lossScale", lossScale.length);
    const parts = (async function* () {
      for (const [name, flats] of Object.entries(arrays)) {
        for await (const part of readParts(device, flats)) yield { name, ...part };
      }
      if (lossScale) yield { name: "lossScale", from: 0, data: lossScale };
    })();
    return { lengths, parts };
  }

  /** Puts a state back that was read from `source`. Throws {@link UserError} for arrays of another length. */
  restore(state: OptimizerState, source: string): void {
    for (const [name, flats] of Object.entries(this.#arrays())) {
      if (state[name]?.length !== lengthOf(flats)) {
        throw new UserError(
          `Cannot resume from ${source}: array ${name} has ${state[name]?.length ?? 0} numbers, expected ${
            lengthOf(flats)
          }. Use a checkpoint of this run`,
        );
      }
      writeSegments(this.#device, flats, state[name]);
    }
    this.#lossScaling?.restore(state.lossScale, source);
    this.parameters.refresh();
  }

  /** Frees everything on the device. */
  destroy(): void {
    const flats = [this.#m, this.#v, this.#ema ?? [], this.#backup ?? []].flat();
    for (const flat of [...flats, this.#hyper, this.#scratch, this.gradientNorm]) this.#device.destroy(flat);
  }

  get #values(): Flat[] {
    return this.parameters.segments.map(({ values }) => values);
  }

  #arrays(): Record<string, Flat[]> {
    return { values: this.#values, m: this.#m, v: this.#v, ...(this.#ema ? { ema: this.#ema } : {}) };
  }

  #copy(from: readonly Flat[], to: readonly Flat[]): void {
    from.forEach((flat, i) => this.#device.copy(flat, to[i]));
  }
}
