import type { World } from "../../base/parallel/world.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { gradNorm, gradNormScratch } from "../../kernels/optimizer/grad_norm.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { lengthOf, readParts, readSegments, writeParts } from "../parameters/flat_segments.ts";
import type { Parameters } from "../parameters/parameters.ts";
import type { TensorShape } from "../safetensors/safetensors.ts";
import type { LossScaling } from "./loss_scaling.ts";
import { NumberShares } from "./number_shares.ts";
import { packedBytes, unpackedBytes } from "./packed_bytes.ts";
import { type OptimName, UPDATE_RULES } from "./rules/by_name.ts";
import type { UpdateArray, UpdateOptions, UpdateState } from "./rules/rule.ts";

/** Settings of the update, clipping and EMA. */
export interface OptimizerOptions extends UpdateOptions {
  /** How gradients become steps. Default: "adamw_torch". */
  optim?: OptimName;
  /** Largest global gradient norm; 0 never clips. */
  maxGradNorm: number;
  /** Decay of the running mean of the weights (EMA); 0 keeps none. */
  emaDecay: number;
}

/** What an optimizer works with beside its settings. */
export interface OptimizerParts {
  /** What the losses were scaled with, where they were. */
  lossScaling?: LossScaling;
  /** Ranks that keep a share of the moments each (ZeRO stage 1), where the rule allows it. Default: this one keeps all. */
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

/** Arrays of an optimizer wherever they are kept, such as in a file. */
export interface StoredState {
  /** Numbers of each array. */
  lengths: ReadonlyMap<string, number>;
  /** Numbers of one of them from `from` on. */
  read(name: string, from: number, length: number): Promise<Float32Array>;
}

/** A host copy as {@link Optimizer.restore} takes it. */
export function heldState(state: OptimizerState): StoredState {
  return {
    lengths: new Map(Object.entries(state).map(([name, { length }]) => [name, length])),
    read: (name, from, length) => Promise.resolve(state[name].subarray(from, from + length)),
  };
}

/**
 * Moves all that is trained of a model by one of the `UPDATE_RULES`, clipping and EMA included. Frozen parameters cost
 * nothing here. Where ranks keep a share of the moments each, each moves its share of the values and of their running mean,
 * and all get all values.
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
  #update: UpdateState;
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
    this.#update = UPDATE_RULES[options.optim ?? "adamw_torch"].open(parameters, options, this.#shards);
    this.#hyper = device.createFlat("f32", 4);
    const numbers = lengthOf(segments.map(({ gradients }) => gradients));
    this.#scratch = device.createFlat("f32", gradNormScratch(numbers));
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
    const t = step + 1;
    // A young mean follows the weights closely, as in TensorFlow's ExponentialMovingAverage(num_updates).
    const decay = Math.min(this.#options.emaDecay, (1 + t) / (10 + t));
    this.#device.write(this.#hyper, Float32Array.of(...this.#update.hyper(t, learningRate), decay));
  }

  /**
   * Records one update from the accumulated gradients and renews the weights that layers read. With shards it waits for the
   * device and the other ranks.
   */
  step(): void | Promise<void> {
    const { maxGradNorm } = this.#options;
    const gradients = this.parameters.segments.map((segment) => segment.gradients);
    gradNorm(this.#device, gradients, this.#scratch, this.gradientNorm, maxGradNorm);
    this.#lossScaling?.update(this.gradientNorm, maxGradNorm);
    this.#update.step({ hyper: this.#hyper, norm: this.gradientNorm, average: this.#ema });
    if (!this.#shards) return this.parameters.refresh();
    return this.#shards.gather(this.#values).then(() => this.parameters.refresh());
  }

  /** Whether {@link gradientNorm}, read back, is of a run that cannot go on: one that overflowed may be only too much scaled. */
  hasDiverged(norm: Float32Array): boolean {
    return this.#lossScaling ? this.#lossScaling.hasDiverged(norm) : norm[2] !== 0;
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
    const data = await readSegments(this.#device, ...Object.values(arrays).map(({ flats }) => flats));
    const state: OptimizerState = Object.fromEntries(
      Object.entries(arrays).map(([name, { bytes }], i) => [name, bytes ? unpackedBytes(data[i]) : data[i]]),
    );
    if (this.#lossScaling) state.lossScale = await this.#lossScaling.state();
    return state;
  }

  /**
   * What {@link state} gives, in parts, one in memory at a time, and the shapes of the arrays. With shards all ranks go
   * through the parts, and {@link gatherAverage} comes before.
   */
  async readState(): Promise<{ shapes: TensorShape[]; parts: AsyncGenerator<StatePart> }> {
    const arrays = this.#arrays(), device = this.#device, shards = this.#shards;
    const lossScale = await this.#lossScaling?.state();
    const shapes = Object.entries(arrays).map(([name, array]): TensorShape => ({
      name,
      shape: [this.#lengthOf(array)],
      // Half precision holds the numbers of eight bits exactly.
      ...(array.bytes && { dtype: "F16" }),
    }));
    if (lossScale) shapes.push({ name: "lossScale", shape: [lossScale.length] });
    const parts = (async function* () {
      for (const [name, { flats, bytes, isShare }] of Object.entries(arrays)) {
        const parts = shards && isShare ? shards.read(flats) : readParts(device, flats);
        for await (const { from, data } of parts) {
          yield bytes ? { name, from: 4 * from, data: unpackedBytes(data) } : { name, from, data };
        }
      }
      if (lossScale) yield { name: "lossScale", from: 0, data: lossScale };
    })();
    return { shapes, parts };
  }

  /**
   * Puts arrays back that were read from `source`, part after part.
   * @throws {UserError} for arrays of another length, before any is put back.
   */
  async restore({ lengths, read }: StoredState, source: string): Promise<void> {
    const arrays = Object.entries(this.#arrays());
    for (const [name, array] of arrays) {
      const expected = this.#lengthOf(array), found = lengths.get(name) ?? 0;
      if (found === expected) continue;
      throw new UserError(
        `Cannot resume from ${source}: array ${name} has ${found} numbers, expected ${expected}. ` +
          "Use a checkpoint of this run, made with the same --optim",
      );
    }
    const lossScale = lengths.get("lossScale");
    if (this.#lossScaling) {
      this.#lossScaling.restore(lossScale ? await read("lossScale", 0, lossScale) : undefined, source);
    }
    for (const [name, { flats, bytes, isShare }] of arrays) {
      const part = async (from: number, length: number) =>
        bytes ? packedBytes(await read(name, 4 * from, 4 * length)) : await read(name, from, length);
      if (this.#shards && isShare) await this.#shards.write(flats, part);
      else await writeParts(this.#device, flats, part);
    }
    this.parameters.refresh();
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.#update.destroy();
    const flats = [this.#ema ?? [], this.#backup ?? []].flat();
    for (const flat of [...flats, this.#hyper, this.#scratch, this.gradientNorm]) this.#device.destroy(flat);
  }

  get #values(): Flat[] {
    return this.parameters.segments.map(({ values }) => values);
  }

  /** Arrays of a checkpoint; `isShare`: with shards, each rank has a share of it. */
  #arrays(): Record<string, UpdateArray & { isShare?: boolean }> {
    const own = Object.entries(this.#update.arrays)
      .filter(([, { flats }]) => lengthOf(flats) > 0)
      .map(([name, array]) => [name, { ...array, isShare: true }]);
    return {
      values: { flats: this.#values },
      ...Object.fromEntries(own),
      ...(this.#ema && { ema: { flats: this.#ema } }),
    };
  }

  /** Numbers of a whole array. */
  #lengthOf({ flats, bytes, isShare }: UpdateArray & { isShare?: boolean }): number {
    if (this.#shards && isShare) return lengthOf(this.#values);
    return lengthOf(flats) * (bytes ? 4 : 1);
  }

  #copy(from: readonly Flat[], to: readonly Flat[]): void {
    from.forEach((flat, i) => this.#device.copy(flat, to[i]));
  }
}
