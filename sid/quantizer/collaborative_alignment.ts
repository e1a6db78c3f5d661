import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { EXCLUDED, InfoNce, unitGain, unitRows } from "../../models/losses/contrastive.ts";
import { linear } from "../../models/layers/layers.ts";
import type { ParameterSpec } from "../../models/parameters/spec.ts";
import type { Embeddings } from "../embeddings.ts";
import { normalizeRows, zeroRows } from "../fuse.ts";
import type { QuantizerStep } from "./hooks.ts";

/** Settings of {@link CollaborativeAlignment}. */
export interface AlignmentConfig {
  alignmentWeight: number;
  temperature: number;
  latentDim: number;
  batchSize: number;
}

const WEIGHT = "alignment.weight";

/**
 * Aligns the quantised latents of items with their collaborative vectors: each is to be found by its own among those of
 * the batch (LETTER, Wang et al. 2024):
 *
 *     loss = -1/|A| sum over i in A of log(exp(cos(z_i, P h_i) / t) / sum over j in A of exp(cos(z_i, P h_j) / t))
 *
 * with z sums of codewords, h collaborative vectors, A the items that have one, and temperature t. The paper takes plain
 * dot products with vectors as wide as the latents. Here cosines make the loss blind to the scale of either, and a
 * linear map P, trained along, takes vectors of any width.
 */
export class CollaborativeAlignment {
  /** The linear map P (latentDim, width). */
  readonly parameters: ParameterSpec[];
  readonly #device: Device;
  readonly #config: AlignmentConfig;
  readonly #vectors: Embeddings; // of length 1, or 0 for items that nobody bought
  readonly #cold: Set<number>;
  readonly #nce: InfoNce;
  readonly #gain: Matrix;
  readonly #targets: Flat;
  readonly #weights: Flat;

  /** `collaborative` (N, width); zero rows are items that nobody bought, which take no part. */
  constructor(device: Device, collaborative: Embeddings, config: AlignmentConfig) {
    const { rows, dim } = collaborative;
    const { latentDim, temperature } = config;
    this.#cold = new Set(zeroRows(collaborative));
    if (this.#cold.size === rows) {
      throw new UserError(
        `Cannot align with collaborative embeddings: all ${rows} rows are 0, expected some items with purchases. ` +
          "Make them from the train period of the dataset, or use --method rqvae",
      );
    }
    this.parameters = [
      { name: WEIGHT, rows: latentDim, cols: dim, init: "normal", decay: true, product: true },
    ];
    this.#device = device;
    this.#config = config;
    this.#vectors = normalizeRows(collaborative);
    const batch = Math.min(config.batchSize, rows);
    this.#nce = new InfoNce(device, { anchors: batch, keys: batch, width: latentDim });
    this.#gain = unitGain(device, latentDim, temperature);
    this.#targets = device.createFlat("u32", Uint32Array.from({ length: batch }, (_, row) => row));
    this.#weights = device.createFlat("f32", batch);
  }

  /** Adds the loss of a batch. */
  loss(tape: Tape, { items, model, quantized, log }: QuantizerStep): void {
    const device = this.#device;
    const { data, dim } = this.#vectors;
    const rows = items.length;
    const vectors = new Float32Array(rows * dim);
    items.forEach((item, row) => vectors.set(data.subarray(item * dim, (item + 1) * dim), row * dim));
    const isCold = Array.from(items, (item) => this.#cold.has(item));
    const weight = this.#config.alignmentWeight / Math.max(1, isCold.filter((cold) => !cold).length);
    device.write(this.#weights, Float32Array.from(isCold, (cold) => cold ? 0 : weight));
    const h = device.matrix(rows, dim);
    device.write(h, vectors);
    const keyBias = device.matrix(1, rows);
    device.write(keyBias, Float32Array.from(isCold, (cold) => cold ? EXCLUDED : 0));
    tape.constant(h);
    const anchors = unitRows(tape, quantized.quantized, this.#gain);
    const keys = unitRows(tape, linear(tape, model.parameters, h, WEIGHT), this.#gain);
    this.#nce.loss(tape, anchors, keys, { targets: this.#targets, weights: this.#weights, keyBias });
    log("alignment", this.#nce.rowLoss, rows);
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.#nce.destroy();
    [this.#gain, this.#targets, this.#weights].forEach((tensor) => this.#device.destroy(tensor));
  }
}
