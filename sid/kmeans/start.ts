import { PhiloxStream } from "../../base/philox.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { kmeansStart } from "../../kernels/clustering/start.ts";
import { type Embeddings, pickRows } from "../embeddings.ts";
import { lloyd } from "./lloyd.ts";
import { blockRows, PointBlocks } from "./point_blocks.ts";
import { principalAxes, project } from "./principal_axes.ts";

/** Directions that {@link progressiveStart} looks at, at most. */
const MOST_AXES = 64;
const STEP_ITERATIONS = 10;

/**
 * Codewords (K, D) to start k-means of points (N, D) from, better than k-means++ alone: k-means in the plane of the two
 * leading principal axes, from a k-means++ start, and its clusters once more in twice as many axes, up to all or 64.
 * So codewords first spread along the directions that matter. Source: Liu, Lu and Shao 2015, Improved Residual Vector
 * Quantization for High-dimensional Approximate Nearest Neighbor Search, as faiss trains its residual quantizer.
 */
export async function progressiveStart(
  device: Device,
  points: Embeddings,
  codebookSize: number,
  seed: number,
  index: number,
): Promise<Float32Array> {
  const { rows, dim } = points;
  const most = Math.min(dim, MOST_AXES);
  if (most < 4) return await kmeansPlusPlus(device, points.data, points, codebookSize, seed, index);
  const axes = await principalAxes(device, points, most, seed);
  const projected = await project(device, points, axes);
  let labels: Uint32Array | undefined;
  for (let width = 2; width < dim && width <= most; width *= 2) {
    const step = { data: columns(projected, rows, most, width), rows, dim: width };
    const start = labels
      ? means(step, labels, codebookSize)
      : await kmeansPlusPlus(device, step.data, step, codebookSize, seed, index);
    const blocks = new PointBlocks(device, rows, width, codebookSize);
    try {
      blocks.write(step.data);
      const options = { iterations: STEP_ITERATIONS, tolerance: 0 };
      ({ labels } = await lloyd(device, blocks, start, codebookSize, options));
    } finally {
      blocks.destroy();
    }
  }
  return means(points, labels!, codebookSize);
}

/**
 * Codewords (K, D) that k-means of `points` (N, D) starts from: items (at most 16384, drawn by the seed) chosen by
 * k-means++ (Arthur and Vassilvitskii 2007). `index` tells the starts of one seed apart, such as the level.
 */
export async function kmeansPlusPlus(
  device: Device,
  points: Float32Array,
  { rows, dim }: Pick<Embeddings, "rows" | "dim">,
  codebookSize: number,
  seed: number,
  index: number,
): Promise<Float32Array> {
  const random = new PhiloxStream(seed, "k-means++", index);
  const uniforms = Float32Array.from({ length: codebookSize }, () => random.uniform());
  const most = blockRows(device, dim);
  const items = rows <= most ? undefined : shuffledOrder(rows, seed, index).subarray(0, most);
  const sample = items ? pickRows(points, items, dim) : points;
  return pickRows(sample, await chooseStart(device, sample, dim, uniforms), dim);
}

/** k-means++ start: rows of K points (N, D). `uniforms` (K) are random numbers in [0, 1). */
async function chooseStart(
  device: Device,
  points: Float32Array,
  dim: number,
  uniforms: Float32Array,
): Promise<Uint32Array> {
  const rows = points.length / dim;
  const matrix = device.upload(points, rows, dim);
  const flats = {
    chosen: device.createFlat("u32", uniforms.length + 1),
    weights: device.createFlat("f32", new Float32Array(rows).fill(1)),
    uniforms: device.createFlat("f32", uniforms),
  };
  kmeansStart(device, matrix, uniforms.length, flats);
  const chosen = await device.readU32(flats.chosen);
  [matrix, ...Object.values(flats)].forEach((tensor) => device.destroy(tensor));
  return chosen.subarray(1);
}

/** Means (K, D) of the points (N, D) of each label; a cluster without points gets the mean of all. */
export function means(
  { data, rows, dim }: Embeddings,
  labels: Uint32Array,
  clusters: number,
): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(clusters * dim);
  const total = new Float64Array(dim);
  const counts = new Uint32Array(clusters);
  for (let row = 0; row < rows; row++) {
    counts[labels[row]]++;
    for (let d = 0; d < dim; d++) {
      sums[labels[row] * dim + d] += data[row * dim + d];
      total[d] += data[row * dim + d];
    }
  }
  return Float32Array.from(sums, (sum, i) => {
    const count = counts[Math.floor(i / dim)];
    return count === 0 ? total[i % dim] / rows : sum / count;
  });
}

function columns(data: Float32Array, rows: number, stride: number, count: number): Float32Array<ArrayBuffer> {
  const part = new Float32Array(rows * count);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < count; i++) part[row * count + i] = data[row * stride + i];
  }
  return part;
}
