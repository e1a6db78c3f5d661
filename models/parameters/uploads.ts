import type { Device } from "../../kernels/gpu/device.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import { MOST_READ } from "./flat_segments.ts";

/**
 * Fills a matrix (rows, cols) with `values`, row after row, in pieces of at most 16 MiB. Yields how many numbers each piece
 * has, for {@link Uploads.wrote}.
 */
export function* writingRows(device: Device, matrix: Matrix, values: Float32Array): Generator<number> {
  const { rows, cols } = matrix;
  const step = Math.max(1, Math.floor(MOST_READ / cols));
  for (let row = 0; row < rows; row += step) {
    const piece = values.subarray(row * cols, Math.min(rows, row + step) * cols);
    device.write(matrix, piece, row);
    yield piece.length;
  }
}

/**
 * Bounds what waits beside a device: whatever is written is copied first, and WebGPU keeps the memory of the most that waited
 * together, on a CPU adapter for good (of a table of 108 MiB in one piece, 108 MiB).
 */
export class Uploads {
  readonly #device: Device;
  #waiting = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Notes that so many numbers were written; resolves when few of them wait. */
  async wrote(numbers: number): Promise<void> {
    this.#waiting += numbers;
    if (this.#waiting < MOST_READ) return;
    await this.#device.settle();
    this.#waiting = 0;
  }
}
