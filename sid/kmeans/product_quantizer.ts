import type { Device } from "../../kernels/gpu/device.ts";
import type { Embeddings } from "../embeddings.ts";
import { progressiveStart } from "./start.ts";
import { lloyd } from "./lloyd.ts";
import { blockRows, PointBlocks } from "./point_blocks.ts";
import { gramProduct, project } from "./principal_axes.ts";
import { allocatedAxes, procrustes, type Rotation } from "./rotation.ts";

/** What {@link trainProduct} learns, and how long. */
export interface ProductOptions {
  /** Dimensions after the rotation, W: a multiple of `parts`. */
  width: number;
  /** Parts that are coded side by side, P. */
  parts: number;
  /** Codewords of each part, K. */
  codebookSize: number;
  /** Updates of the rotation. */
  rotations: number;
  /** Most updates of the codewords once the rotation stands. */
  iterations: number;
  /** Relative fall of the error below which they are done. */
  tolerance: number;
  /** Seed of the starts. */
  seed: number;
}

/** A rotation, and codebooks (K, W / P) of the parts of what it makes of vectors. */
export interface ProductQuantizer {
  rotation: Rotation;
  codebooks: Float32Array<ArrayBuffer>[];
}

/**
 * Optimized product quantization of vectors (N, D), the non-parametric form (Ge, He, Ke and Sun 2013, section 3.1):
 * codewords of the parts and rotation in turns, each best for the other. The rotation is learned from at most 16384 of
 * the vectors, the codebooks in the end from all.
 */
export async function trainProduct(
  device: Device,
  points: Embeddings,
  options: ProductOptions,
  onRotation?: (done: number, error: number) => void,
): Promise<ProductQuantizer> {
  const { width, parts, codebookSize, rotations, iterations, tolerance, seed } = options;
  const sample = sampleOf(points, blockRows(device, Math.max(points.dim, width)));
  let rotation = await allocatedAxes(device, sample, width, parts, seed);
  const partsOf = async (vectors: Embeddings) => {
    const turned = await applyRotation(device, vectors, rotation);
    return Array.from({ length: parts }, (_, part) => partOf(turned, part, parts));
  };
  const codebooks: Float32Array<ArrayBuffer>[] = [];
  for (const [part, vectors] of (await partsOf(sample)).entries()) {
    const start = await progressiveStart(device, vectors, codebookSize, seed, part);
    codebooks.push((await cluster(device, vectors, start, { iterations: 10, tolerance })).centres);
  }
  for (let done = 1; done <= rotations; done++) {
    const coded = new Float32Array(sample.rows * width);
    let inertia = 0;
    for (const [part, vectors] of (await partsOf(sample)).entries()) {
      const found = await cluster(device, vectors, codebooks[part], { iterations: 1, tolerance: 0 });
      codebooks[part] = found.centres;
      inertia += found.inertia;
      found.labels.forEach((label, row) => {
        const codeword = found.centres.subarray(label * vectors.dim, (label + 1) * vectors.dim);
        coded.set(codeword, row * width + part * vectors.dim);
      });
    }
    onRotation?.(done, inertia / sample.data.length);
    rotation = procrustes(await crossProduct(device, sample, coded, width), rotation);
  }
  for (const [part, vectors] of (await partsOf(points)).entries()) {
    codebooks[part] = (await cluster(device, vectors, codebooks[part], { iterations, tolerance })).centres;
  }
  return { rotation, codebooks };
}

/** Vectors (N, D) turned to (N, W). */
export async function applyRotation(
  device: Device,
  vectors: Embeddings,
  { axes, dim, width }: Rotation,
): Promise<Embeddings> {
  const data = await project(device, vectors, { mean: new Float64Array(dim), axes, rank: width });
  return { data, rows: vectors.rows, dim: width };
}

/** One of `parts` equal parts of the columns: (N, W) -> (N, W / P). */
export function partOf({ data, rows, dim }: Embeddings, part: number, parts: number): Embeddings {
  const width = dim / parts;
  const values = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const from = row * dim + part * width;
    values.set(data.subarray(from, from + width), row * width);
  }
  return { data: values, rows, dim: width };
}

/** Codewords (K, W / P) of a part as vectors (K, D), turned back. */
export function turnedBack(
  { axes, dim, width }: Rotation,
  codebook: Float32Array,
  part: number,
  parts: number,
): Float32Array<ArrayBuffer> {
  const own = width / parts;
  const vectors = new Float32Array(codebook.length / own * dim);
  for (let i = 0; i < vectors.length; i++) {
    const codeword = Math.floor(i / dim) * own;
    const row = i % dim * width + part * own;
    let sum = 0;
    for (let j = 0; j < own; j++) sum += axes[row + j] * codebook[codeword + j];
    vectors[i] = sum;
  }
  return vectors;
}

async function cluster(
  device: Device,
  { data, rows, dim }: Embeddings,
  start: Float32Array,
  options: { iterations: number; tolerance: number },
) {
  const blocks = new PointBlocks(device, rows, dim, start.length / dim);
  try {
    blocks.write(data);
    return await lloyd(device, blocks, start, start.length / dim, options);
  } finally {
    blocks.destroy();
  }
}

/** At most `most` of the vectors, at even steps. */
function sampleOf(points: Embeddings, most: number): Embeddings {
  const { data, rows, dim } = points;
  if (rows <= most) return points;
  const sample = new Float32Array(most * dim);
  for (let i = 0; i < most; i++) {
    const from = Math.floor(i * rows / most) * dim;
    sample.set(data.subarray(from, from + dim), i * dim);
  }
  return { data: sample, rows: most, dim };
}

/** sum x yᵀ of vectors (N, D) and what codes say of them turned, (N, W) -> (D, W). */
function crossProduct(device: Device, { data, rows, dim }: Embeddings, coded: Float32Array, width: number) {
  return device.scope(() => {
    const left = device.matrix(rows, dim);
    const right = device.matrix(rows, width);
    device.write(left, data);
    device.write(right, coded);
    return gramProduct(device, left, right);
  });
}
