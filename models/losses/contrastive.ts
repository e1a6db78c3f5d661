import { add } from "../../kernels/elementwise/add.ts";
import {
  crossEntropyBackward,
  crossEntropyChunk,
  crossEntropyRows,
} from "../../kernels/loss/cross_entropy.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { matmul, matmulAt, matmulBt } from "../../kernels/matmul/matmul.ts";
import { refresh } from "../../kernels/rows/refresh.ts";
import { rmsNorm, rmsNormBackward } from "../../kernels/norm/rms.ts";
import type { Tape } from "../../kernels/tape.ts";
import { type Flat, groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";

/** What is added to the similarity of a key that takes no part: its probability becomes exactly 0. */
export const EXCLUDED = -1e9;

// Keeps the direction of a zero row finite; rows of length 1 lose a millionth of it.
const EPSILON = 1e-6;

/** Which key each anchor is to find, and which ones it chooses from. */
export interface Contrast {
  /** Key of each anchor, u32 (R) in a flat that may be longer. */
  targets: Flat;
  /** Weight of each anchor in the loss, f32 (R) likewise; an anchor without a key to find has 0. */
  weights: Flat;
  /** Added to the similarities of each key, (1, N): {@link EXCLUDED} for keys that no anchor may choose. */
  keyBias?: Matrix;
  /** Added to the similarities, (R, N): {@link EXCLUDED} for keys that one anchor may not choose, such as itself. */
  pairBias?: Matrix;
}

/**
 * InfoNCE (van den Oord et al. 2018): cross-entropy of softmax over dot products of an anchor with keys against the key
 * that belongs to it. One object serves one use in a step.
 */
export class InfoNce {
  /** Weighted loss of each anchor of the last {@link loss}, f32 (anchors): their sum is the loss. */
  readonly rowLoss: Flat;
  readonly #device: Device;
  readonly #stats: Flat;
  readonly #keyGradient: Flat;

  /** Room for so many anchors and keys of so many numbers. */
  constructor(device: Device, { anchors, keys, width }: { anchors: number; keys: number; width: number }) {
    this.#device = device;
    this.rowLoss = device.createFlat("f32", anchors);
    this.#stats = device.createFlat("f32", 4 * anchors);
    this.#keyGradient = device.createFlat("f32", keys * groupsOf(width) * 4);
  }

  /** anchors (R, D), keys (N, D), which may be the same matrix. Both get gradients unless the tape has them as constant. */
  loss(tape: Tape, anchors: Matrix, keys: Matrix, { targets, weights, keyBias, pairBias }: Contrast): void {
    const device = this.#device;
    const vocabulary = keys.rows;
    const products = matmulBt(device, anchors, keys, { bias: keyBias });
    const logits = pairBias ? add(device, products, pairBias) : products;
    if (pairBias) device.release(products);
    crossEntropyChunk(device, logits, targets, this.#stats, { start: 0, first: true });
    const options = { vocabulary, smoothing: 0 };
    crossEntropyRows(device, this.#stats, weights, this.rowLoss, { rows: anchors.rows, ...options });
    tape.record(() => {
      const slopes = crossEntropyBackward(device, logits, targets, weights, this.#stats, {
        start: 0,
        ...options,
      });
      if (tape.wants(anchors)) tape.accumulate(anchors, matmul(device, slopes, keys));
      if (tape.wants(keys)) {
        matmulAt(device, slopes, anchors, this.#keyGradient, false);
        const gradient = device.matrix(keys.rows, keys.cols);
        refresh(device, this.#keyGradient, keys.rows, keys.cols, gradient, undefined);
        tape.accumulate(keys, gradient);
      }
      device.release(slopes);
    });
  }

  /** Frees everything on the device. */
  destroy(): void {
    [this.rowLoss, this.#stats, this.#keyGradient].forEach((flat) => this.#device.destroy(flat));
  }
}

/**
 * Gain that makes {@link unitRows} scale rows of so many numbers to length 1 / sqrt(temperature): the dot product of two
 * such rows is their cosine divided by the temperature.
 */
export function unitGain(device: Device, width: number, temperature: number): Matrix {
  return device.upload(new Float32Array(width).fill(1 / Math.sqrt(width * temperature)), 1, width);
}

/** Rows of x (N, D) scaled to the length that `gain` (1, D) of {@link unitGain} says; zero rows stay 0. */
export function unitRows(tape: Tape, x: Matrix, gain: Matrix): Matrix {
  const { device } = tape;
  const eps = EPSILON / x.cols;
  const y = rmsNorm(device, x, gain, eps);
  if (!tape.wants(x)) tape.constant(y);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, rmsNormBackward(device, x, gain, dy, undefined, eps));
  });
  return y;
}
