import type { World } from "../../base/parallel/world.ts";
import { adamw } from "../../kernels/optimizer/adamw.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { GRAD_NORM_SCRATCH, gradNorm } from "../../kernels/optimizer/grad_norm.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { lengthOf, readParts, readSegments, writeSegments } from "../parameters/flat_segments.ts";
import type { LossScaling } from "./loss_scaling.ts";
import { NumberShares } from "./number_shares.ts";
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

/** What an optimizer works with beside its settings. */
export interface OptimizerParts {
  /** What the losses were scaled with, where they were. */
  lossScaling?: LossScaling;
  /** Ranks that keep a share of the moments each (ZeRO stage 1). Default: this one keeps all. */
  shards?: World;
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
 * step where it fits one buffer. Frozen parameters cost nothing here. Where ranks keep a share of the moments each, each
 * moves its share of the values and of their running mean, and all get all values.
 */
export class Optimizer {
  /** [norm, clip scale, 1 if the norm is not finite, loss scale or 0] of the last step. */
  readonly gradientNorm: Flat;
  /** What it trains. */
  readonly parameters: Parameters;
  #device: Device;
  #options: OptimizerOptions;
  #lossScaling: LossScaling | undefined;
  #shards: NumberShares | undefined;
  #m: Flat[];
  #v: Flat[];
  #ema: Flat[] | undefined;
  #backup: Flat[] | undefined;
  #hyper: Flat;
  #scratch: Flat;

  /** Starts with moments of 0. */
  constructor(
    parameters: Parameters,
    options: OptimizerOptions,
    { lossScaling, shards }: OptimizerParts = {},
  ) {
    const { device, segments } = parameters;
    const likeSegments = () => segments.map(({ values }) => device.createFlat("f32", values.length));
    this.#device = device;
    this.parameters = parameters;
    this.#options = options;
    this.#lossScaling = lossScaling;
    if (shards && shards.size > 1) {
      this.#shards = new NumberShares(device, shards, segments.map(({ values }) => values.length));
    }
    this.#m = this.#shards?.create() ?? likeSegments();
    this.#v = this.#shards?.create() ?? likeSegments();
    this.#hyper = device.createFlat("f32", 4);
    this.#scratch = device.createFlat("f32", GRAD_NORM_SCRATCH);
    this.gradientNorm = device.createFlat("f32", 4);
    if (options.emaDecay > 0) {
      this.#ema = likeSegments();
      this.#backup = likeSegments();
      this.#copy(this.#values, this.#ema);
    }
  }

  /**
   * The running mean of the weights, as long as the segments of the parameters; undefined without EMA. With shards it is
   * whole after {@link gatherAverage} alone.
   */
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

  /**
   * Records one update from the accumulated gradients and renews the weights that layers read. With shards it waits for the
   * device and the other ranks.
   */
  step(): void | Promise<void> {
    const { segments } = this.parameters;
    const { beta1, beta2, eps, weightDecay, maxGradNorm } = this.#options;
    const gradients = segments.map((segment) => segment.gradients);
    gradNorm(this.#device, gradients, this.#scratch, this.gradientNorm, maxGradNorm);
    this.#lossScaling?.update(this.gradientNorm, maxGradNorm);
    const settings = { beta1, beta2, eps, weightDecay };
    if (this.#shards) return this.#stepShares(this.#shards, settings);
    segments.forEach(({ values, gradients, decayLength }, i) => {
      const state = { values, gradients, m: this.#m[i], v: this.#v[i], ema: this.#ema?.[i] };
      const options = { ...settings, decayLength, length: values.length };
      adamw(this.#device, state, this.#hyper, this.gradientNorm, options);
    });
    this.parameters.refresh();
  }

  /** Makes {@link average} whole in all ranks, which all call this. */
  async gatherAverage(): Promise<void> {
    if (this.#ema) await this.#shards?.gather(this.#ema);
  }

  /** Runs `work` with the averaged weights in place of the trained ones; without EMA, with the trained ones. */
  async withAverage<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#ema || !this.#backup) return await work();
    await this.gatherAverage();
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

  /** Values, moments and average of all that is trained, read back. `Error` with shards, of which {@link readState} is. */
  async state(): Promise<OptimizerState> {
    if (this.#shards) {
      throw new Error("state() is of all moments, of which this rank has a share: use readState()");
    }
    const arrays = this.#arrays();
    const data = await readSegments(this.#device, ...Object.values(arrays));
    const state: OptimizerState = Object.fromEntries(Object.keys(arrays).map((name, i) => [name, data[i]]));
    if (this.#lossScaling) state.lossScale = await this.#lossScaling.state();
    return state;
  }

  /**
   * What {@link state} gives, in parts, one in memory at a time, and the lengths of the arrays by name. With shards all
   * ranks go through the parts, and {@link gatherAverage} comes before.
   */
  async readState(): Promise<{ lengths: Map<string, number>; parts: AsyncGenerator<StatePart> }> {
    const arrays = this.#arrays(), device = this.#device, shards = this.#shards;
    const total = lengthOf(this.#values);
    const lossScale = await this.#lossScaling?.state();
    const lengths = new Map(Object.keys(arrays).map((name) => [name, total]));
    if (lossScale) lengths.set("lossScale", lossScale.length);
    const parts = (async function* () {
      for (const [name, flats] of Object.entries(arrays)) {
        const parts = shards && isMoments(name) ? shards.read(flats) : readParts(device, flats);
        for await (const part of parts) yield { name, ...part };
      }
      if (lossScale) yield { name: "lossScale", from: 0, data: lossScale };
    })();
    return { lengths, parts };
  }

  /** Puts a state back that was read from `source`. Throws {@link UserError} for arrays of another length. */
  restore(state: OptimizerState, source: string): void {
    const total = lengthOf(this.#values);
    for (const [name, flats] of Object.entries(this.#arrays())) {
      if (state[name]?.length !== total) {
        throw new UserError(
          `Cannot resume from ${source}: array ${name} has ${
            state[name]?.length ?? 0
          } numbers, expected ${total}. Use a checkpoint of this run`,
        );
      }
      if (this.#shards && isMoments(name)) this.#shards.write(flats, state[name]);
      else writeSegments(this.#device, flats, state[name]);
    }
    this.#lossScaling?.restore(state.lossScale, source);
    this.parameters.refresh();
  }

  /** Frees everything on the device. */
  destroy(): void {
    const flats = [this.#m, this.#v, this.#ema ?? [], this.#backup ?? []].flat();
    for (const flat of [...flats, this.#hyper, this.#scratch, this.gradientNorm]) this.#device.destroy(flat);
  }

  /** Moves the own share, and gets those of the others. */
  async #stepShares(
    shards: NumberShares,
    settings: Pick<OptimizerOptions, "beta1" | "beta2" | "eps" | "weightDecay">,
  ): Promise<void> {
    const { segments } = this.parameters;
    for (const { segment, at, length, own } of shards.own) {
      if (length === 0) continue;
      const { values, gradients, decayLength } = segments[segment];
      const part = (flat: Flat, start: number) => shards.part(flat, start, length)!;
      const state = {
        values: part(values, at),
        gradients: part(gradients, at),
        m: part(this.#m[segment], own),
        v: part(this.#v[segment], own),
        ema: this.#ema && part(this.#ema[segment], at),
      };
      const decaying = Math.max(0, Math.min(length, decayLength - at));
      adamw(this.#device, state, this.#hyper, this.gradientNorm, {
        ...settings,
        decayLength: decaying,
        length,
      });
    }
    await shards.gather(this.#values);
    this.parameters.refresh();
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

/** Arrays that shards are of. */
function isMoments(name: string): boolean {
  return name === "m" || name === "v";
}
