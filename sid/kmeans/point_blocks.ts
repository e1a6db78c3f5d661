import type { Device } from "../../kernels/gpu/device.ts";
import { tokenRows } from "../../kernels/rows/embedding.ts";
import { matmulBt } from "../../kernels/matmul/matmul.ts";
import { kmeansAssign, kmeansMean, kmeansSum } from "../../kernels/clustering/kmeans.ts";
import { type Flat, groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";

/** Nearest centre of every point. */
export interface Assignment {
  /** (N). */
  labels: Uint32Array<ArrayBuffer>;
  /** (N), squared. */
  distances: Float32Array<ArrayBuffer>;
}

interface Block {
  first: number;
  points: Matrix;
  labels: Flat;
  distances: Flat;
  offsets: Flat;
  members: Flat;
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
export class PointBlocks {
  readonly #blocks: Block[] = [];
  readonly #device: Device;
  readonly #rows: number;
  readonly #dim: number;
  readonly #drift: Flat;
  readonly #counts: Flat;

  /** Room for `rows` points; call {@link destroy} in the end. */
  constructor(device: Device, rows: number, dim: number, codewords: number) {
    this.#device = device;
    this.#rows = rows;
    this.#dim = dim;
    this.#drift = device.createFlat("f32", codewords * groupsOf(dim) * 4);
    this.#counts = device.createFlat("u32", codewords);
    const most = blockRows(device, dim);
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      this.#blocks.push({
        first,
        points: device.createMatrix(count, dim),
        labels: device.createFlat("u32", count),
        distances: device.createFlat("f32", count),
        offsets: device.createFlat("u32", codewords + 1),
        members: device.createFlat("u32", count),
      });
    }
  }

  /** Replaces the points. data (N, D). */
  write(data: Float32Array): void {
    for (const { first, points } of this.#blocks) {
      this.#device.write(points, data.subarray(first * this.#dim, (first + points.rows) * this.#dim));
    }
  }

  /** Nearest of the centres (K, D) for every point. */
  async assign(centres: Matrix): Promise<Assignment> {
    for (const { points, labels, distances } of this.#blocks) {
      kmeansAssign(this.#device, points, centres, labels, distances);
    }
    const flats = this.#blocks.flatMap(({ labels, distances }) => [labels, distances]);
    const values = await this.#device.read(...flats);
    const labels = new Uint32Array(this.#rows);
    const distances = new Float32Array(this.#rows);
    this.#blocks.forEach(({ first }, i) => {
      const bits = values[2 * i];
      labels.set(new Uint32Array(bits.buffer, bits.byteOffset, bits.length), first);
      distances.set(values[2 * i + 1], first);
    });
    return { labels, distances };
  }

  /** Means of the points of each label; a centre (K, D) without points stays. Returns a matrix of the open scope. */
  mean(centres: Matrix, labels: Uint32Array): Matrix {
    const counts = new Uint32Array(centres.rows);
    for (const label of labels) counts[label]++;
    for (const { first, points, offsets, members } of this.#blocks) {
      const byLabel = tokenRows(labels.subarray(first, first + points.rows), points.rows, centres.rows);
      this.#device.write(offsets, byLabel.offsets);
      this.#device.write(members, byLabel.rows);
      kmeansSum(this.#device, points, centres, offsets, members, this.#drift, first > 0);
    }
    this.#device.write(this.#counts, counts);
    return kmeansMean(this.#device, centres, this.#drift, this.#counts);
  }

  /**
   * Squared distances of every point to the centres (K, D), less what all centres have in common for a point: enough to
   * tell which is nearer and by how much. Blocks in row order, each (rows, K).
   */
  async *relativeDistances(centres: Float32Array): AsyncGenerator<{ first: number; values: Float32Array }> {
    const clusters = centres.length / this.#dim;
    // |x - c|^2 - |x - m|^2 = -2 (c - m) x + |c|^2 - |m|^2: close to the centres' mean m little cancels.
    const middle = columnMeans(centres, this.#dim);
    const turned = Float32Array.from(centres, (value, i) => -2 * (value - middle[i % this.#dim]));
    const offsets = new Float64Array(clusters);
    centres.forEach((value, i) => {
      offsets[Math.floor(i / this.#dim)] += value ** 2 - middle[i % this.#dim] ** 2;
    });
    for (const { first, points } of this.#blocks) {
      const [values] = await this.#device.scope(() => {
        const right = this.#device.matrix(clusters, this.#dim);
        const bias = this.#device.matrix(1, clusters);
        this.#device.write(right, turned);
        this.#device.write(bias, Float32Array.from(offsets));
        return this.#device.read(matmulBt(this.#device, points, right, { bias }));
      });
      yield { first, values };
    }
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.#device.destroy(this.#drift);
    this.#device.destroy(this.#counts);
    for (const { points, labels, distances, offsets, members } of this.#blocks) {
      [points, labels, distances, offsets, members].forEach((tensor) => this.#device.destroy(tensor));
    }
  }
}

/** (N, D) -> (D). */
function columnMeans(data: Float32Array, dim: number): Float64Array {
  const sums = new Float64Array(dim);
  data.forEach((value, i) => sums[i % dim] += value);
  return sums.map((sum) => sum / (data.length / dim));
}
