import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { EXCLUDED, InfoNce, unitGain, unitRows } from "../../models/losses/contrastive.ts";
import { type CoOccurrences, countCoOccurrences, type PairedItems, pairItems } from "./co_occurrence.ts";
import type { QuantizerHooks, QuantizerStep } from "./hooks.ts";

/** Settings of {@link CoOccurrenceContrast}. */
export interface CoOccurrenceContrastConfig {
  contrastWeight: number;
  temperature: number;
  latentDim: number;
  batchSize: number;
  seed: number;
}

/**
 * Draws the quantised latents of items together that users bought in a row. Every epoch pairs the items anew; both of a
 * pair are in one batch, and each is to be found by the other among all items of the batch:
 *
 *     loss = -1/|A| sum over i in A of log(exp(cos(z_i, z_p(i)) / t) / sum over j != i of exp(cos(z_i, z_j) / t))
 *
 * with z sums of codewords, p(i) the partner of i, A the items that have one, and temperature t.
 */
export class CoOccurrenceContrast {
  readonly #device: Device;
  readonly #config: CoOccurrenceContrastConfig;
  readonly #pairs: CoOccurrences;
  readonly #nce: InfoNce;
  readonly #gain: Matrix;
  readonly #targets: Flat;
  readonly #weights: Flat;
  readonly #notItself = new Map<number, Matrix>(); // by rows of a batch: the last of an epoch may be shorter
  #epoch = -1;
  #paired: PairedItems | undefined;

  /** `histories` of items below `rows`, oldest first. */
  constructor(
    device: Device,
    histories: readonly (readonly number[])[],
    rows: number,
    config: CoOccurrenceContrastConfig,
  ) {
    this.#pairs = countCoOccurrences(histories, rows);
    this.#device = device;
    this.#config = config;
    const batch = Math.min(config.batchSize, rows);
    this.#nce = new InfoNce(device, { anchors: batch, keys: batch, width: config.latentDim });
    this.#gain = unitGain(device, config.latentDim, config.temperature);
    this.#targets = device.createFlat("u32", batch);
    this.#weights = device.createFlat("f32", batch);
  }

  /** Batches of pairs, and the loss. */
  get hooks(): QuantizerHooks {
    const { contrastWeight, batchSize } = this.#config;
    if (contrastWeight === 0) return {};
    return {
      batches: (epoch, items, groups) => {
        const { order } = this.#pair(epoch, items, groups);
        return Array.from(
          { length: Math.ceil(order.length / batchSize) },
          (_, batch) => order.subarray(batch * batchSize, (batch + 1) * batchSize),
        );
      },
      extraLoss: (tape, step) => this.#loss(tape, step),
    };
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.#nce.destroy();
    [this.#gain, this.#targets, this.#weights, ...this.#notItself.values()]
      .forEach((tensor) => this.#device.destroy(tensor));
  }

  #loss(tape: Tape, { items, quantized, log }: QuantizerStep): void {
    const { targets, weights } = partnersIn(items, this.#paired!.partners, this.#config.contrastWeight);
    this.#device.write(this.#targets, targets);
    this.#device.write(this.#weights, weights);
    const z = unitRows(tape, quantized.quantized, this.#gain);
    const pairBias = this.#diagonal(items.length);
    this.#nce.loss(tape, z, z, { targets: this.#targets, weights: this.#weights, pairBias });
    log("co-occurrence", this.#nce.rowLoss, items.length);
  }

  #pair(epoch: number, items: Uint32Array, groups?: readonly string[]): PairedItems {
    if (this.#epoch !== epoch || !this.#paired) {
      this.#paired = pairItems(this.#pairs, items, this.#config.seed, epoch, groups);
      this.#epoch = epoch;
    }
    return this.#paired;
  }

  #diagonal(rows: number): Matrix {
    const known = this.#notItself.get(rows);
    if (known) return known;
    const values = new Float32Array(rows * rows);
    for (let row = 0; row < rows; row++) values[row * rows + row] = EXCLUDED;
    const made = this.#device.upload(values, rows, rows);
    this.#notItself.set(rows, made);
    return made;
  }
}

/**
 * Rows of the partners of a batch's items, which are beside them, and the weights of their losses: those with a partner
 * in the batch share `weight` evenly, the others have 0.
 */
export function partnersIn(
  items: Uint32Array,
  partners: Uint32Array,
  weight: number,
): { targets: Uint32Array; weights: Float32Array } {
  const targets = Uint32Array.from(items, (item, row) => {
    if (items[row - 1] === partners[item]) return row - 1;
    return items[row + 1] === partners[item] ? row + 1 : row;
  });
  const paired = targets.reduce((count, target, row) => count + Number(target !== row), 0);
  return {
    targets,
    weights: Float32Array.from(targets, (target, row) => target === row ? 0 : weight / paired),
  };
}
