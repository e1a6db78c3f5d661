import type { Device } from "../../kernels/gpu/device.ts";
import { matmulBt } from "../../kernels/matmul/matmul.ts";
import { assignToTurned, turnCentres } from "../../kernels/clustering/assign.ts";
import { kmeansBlockRows, type KmeansPoints } from "../../kernels/clustering/update.ts";
import { groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";

/** Nearest centre of every point. */
export interface Assignment {
  /** (N). */
  labels: Uint32Array<ArrayBuffer>;
  /** (N), squared. */
  distances: Float32Array<ArrayBuffer>;
}

const TALLEST = 16384;

/** Rows (at most 16384) of one matrix of points `dim` wide: what the adapter can hold and bind. */
export function blockRows(device: Device, dim: number): number {
  const { maxTextureDimension2D, maxStorageBufferBindingSize } = device.limits;
  const bound = device.layout === "texture"
    ? maxTextureDimension2D
    : Math.floor(maxStorageBufferBindingSize / (groupsOf(dim) * 16));
  return Math.min(TALLEST, bound);
}

/** Points (N, D) on the device for k-means with K centres, in blocks that each fit a matrix. */
export class PointBlocks implements KmeansPoints {
  readonly blocks: readonly Matrix[];
  readonly rows: number;
  /** Rows of each block but the last. */
  readonly blockRows: number;
  readonly #device: Device;
  readonly #dim: number;

  /** Room for `rows` points; call {@link destroy} in the end. */
  constructor(device: Device, rows: number, dim: number, codewords: number) {
    this.#device = device;
    this.rows = rows;
    this.#dim = dim;
    this.blockRows = kmeansBlockRows(blockRows(device, dim), codewords);
    this.blocks = Array.from(
      { length: Math.ceil(rows / this.blockRows) },
      (_, block) => device.createMatrix(Math.min(this.blockRows, rows - block * this.blockRows), dim),
    );
  }

  /** Replaces the points. data (N, D). */
  write(data: Float32Array): void {
    this.blocks.forEach((points, block) => {
      const first = block * this.blockRows;
      this.#device.write(points, data.subarray(first * this.#dim, (first + points.rows) * this.#dim));
    });
  }

  /** Nearest of the centres (K, D) for every point. */
  async assign(centres: Matrix): Promise<Assignment> {
    const device = this.#device;
    const labels = device.createFlat("u32", this.rows), distances = device.createFlat("f32", this.rows);
    const values = await device.scope(() => {
      const turned = turnCentres(device, centres);
      this.blocks.forEach((points, block) => {
        assignToTurned(device, points, turned, labels, distances, block * this.blockRows);
      });
      return device.read(labels, distances);
    });
    [labels, distances].forEach((flat) => device.destroy(flat));
    const [bits, squared] = values.map((part) => part.slice());
    return { labels: new Uint32Array(bits.buffer), distances: squared };
  }

  /** Squared distances of every point to the centres (K, D), less what {@link RelativeCentres} says. In blocks of rows. */
  async *relativeDistances(centres: Float32Array): AsyncGenerator<{ first: number; values: Float32Array }> {
    for (const [block, points] of this.blocks.entries()) {
      const [values] = await this.#device.scope(() =>
        this.#device.read(
          distancesToRelative(this.#device, points, relativeCentres(this.#device, centres, this.#dim)),
        )
      );
      yield { first: block * this.blockRows, values };
    }
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.blocks.forEach((points) => this.#device.destroy(points));
  }
}

/**
 * Centres as {@link distancesToRelative} wants them. Squared distances to them lack what all centres have in common for a
 * point: they tell which is nearer and by how much.
 */
export interface RelativeCentres {
  /** -2 (c - m) (K, D), m the mean of the centres. */
  products: Matrix;
  /** |c|^2 - |m|^2 (1, K). */
  squares: Matrix;
}

/** Centres (K, D) to take distances to; the matrices are of the open scope. */
export function relativeCentres(device: Device, centres: Float32Array, dim: number): RelativeCentres {
  const clusters = centres.length / dim;
  // |x - c|^2 - |x - m|^2 = -2 (c - m) x + |c|^2 - |m|^2: close to the centres' mean m little cancels.
  const middle = columnMeans(centres, dim);
  const turned = Float32Array.from(centres, (value, i) => -2 * (value - middle[i % dim]));
  const offsets = new Float64Array(clusters);
  centres.forEach((value, i) => offsets[Math.floor(i / dim)] += value ** 2 - middle[i % dim] ** 2);
  const products = device.matrix(clusters, dim);
  const squares = device.matrix(1, clusters);
  device.write(products, turned);
  device.write(squares, Float32Array.from(offsets));
  return { products, squares };
}

/** Squared distances of points (rows, D) to the centres, less what all have in common: (rows, K), of the open scope. */
export function distancesToRelative(
  device: Device,
  points: Matrix,
  { products, squares }: RelativeCentres,
): Matrix {
  return matmulBt(device, points, products, { bias: squares });
}

/** (N, D) -> (D). */
function columnMeans(data: Float32Array, dim: number): Float64Array {
  const sums = new Float64Array(dim);
  data.forEach((value, i) => sums[i % dim] += value);
  return sums.map((sum) => sum / (data.length / dim));
}
