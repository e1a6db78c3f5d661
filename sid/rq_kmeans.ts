import { z } from "zod";
import { PhiloxStream } from "../data/philox.ts";
import { shuffledOrder } from "../data/shuffle.ts";
import { UserError } from "../data/user_error.ts";
import type { Device } from "../kernels/device.ts";
import { chooseStart, lloyd } from "./lloyd.ts";
import type { Embeddings, SidFit, SidMethod, SidProgress } from "./method.ts";
import { blockRows, PointBlocks } from "./point_blocks.ts";

/** Settings of {@link rqKmeans}; `rqKmeans.Config.parse({})` fills in the defaults. */
export interface RqKmeansConfig {
  /** Codebooks L, one a token of the SID. Default: 3. */
  levels: number;
  /** Codewords K in each codebook. Default: 256. */
  codebookSize: number;
  /** Most updates of the codewords of a level. Default: 25. */
  iterations: number;
  /** Relative fall of the error below which a level is done. Default: 1e-4. */
  tolerance: number;
  /** Seed of the k-means++ start. Default: 42. */
  seed: number;
}

const fields = {
  levels: z.int().min(1).max(8).default(3).describe("codebooks, one a token of the SID"),
  codebookSize: z.int().min(2).max(16384).default(256).describe("codewords in each codebook"),
  iterations: z.int().min(1).default(25).describe("most updates of the codewords of a level"),
  tolerance: z.number().min(0).default(1e-4).describe(
    "relative fall of the error below which a level is done",
  ),
  seed: z.int().min(0).default(42).describe("seed of the k-means++ start"),
} satisfies { [K in keyof RqKmeansConfig]: z.ZodType<RqKmeansConfig[K]> };

/**
 * Residual k-means: level l clusters what the codewords of the levels before leave over of each item. k-means++ start
 * (on at most 16384 items, drawn by the seed), Lloyd's algorithm, empty clusters refilled.
 */
export const rqKmeans: SidMethod<RqKmeansConfig> = {
  name: "rqkmeans",
  Config: z.strictObject(fields),
  fit,
  encode,
};

async function fit(
  device: Device,
  embeddings: Embeddings,
  { levels, codebookSize, iterations, tolerance, seed }: RqKmeansConfig,
  onProgress?: (progress: SidProgress) => void,
): Promise<SidFit> {
  const { rows, dim } = embeddings;
  checkEmbeddings(embeddings);
  if (rows < codebookSize) {
    throw new UserError(
      `Cannot learn ${codebookSize} codewords from ${rows} items: expected at least as many items as codewords. ` +
        `Use --codebook-size ${2 ** Math.max(1, Math.floor(Math.log2(rows / 4)))} or less`,
    );
  }
  const fitted: SidFit = { codes: new Uint16Array(rows * levels), levels, codebooks: [], errors: [] };
  const residuals = embeddings.data.slice();
  const blocks = new PointBlocks(device, rows, dim, codebookSize);
  try {
    for (let level = 0; level < levels; level++) {
      blocks.write(residuals);
      const start = await startOf(device, residuals, embeddings, codebookSize, seed, level);
      const report = (iteration: number, inertia: number) =>
        onProgress?.({
          done: level * iterations + iteration,
          total: levels * iterations,
          level,
          error: inertia / (rows * dim),
        });
      const { centres, labels } = await lloyd(
        device,
        blocks,
        start,
        codebookSize,
        { iterations, tolerance },
        report,
      );
      subtract(residuals, centres, labels, dim);
      labels.forEach((label, item) => fitted.codes[item * levels + level] = label);
      fitted.codebooks.push(centres);
      fitted.errors.push(meanSquare(residuals));
    }
  } finally {
    blocks.destroy();
  }
  return fitted;
}

async function encode(
  device: Device,
  embeddings: Embeddings,
  codebooks: readonly Float32Array[],
): Promise<Uint16Array<ArrayBuffer>> {
  const { rows, dim } = embeddings;
  checkEmbeddings(embeddings);
  const odd = codebooks.findIndex((codebook) => codebook.length === 0 || codebook.length % dim !== 0);
  if (odd >= 0) {
    throw new UserError(
      `Cannot encode embeddings of width ${dim}: codebook ${odd} has ${
        codebooks[odd].length
      } numbers, expected a ` +
        `multiple of ${dim}. Use the embeddings that the codebooks were learned from`,
    );
  }
  const levels = codebooks.length;
  const codes = new Uint16Array(rows * levels);
  const residuals = embeddings.data.slice();
  for (const [level, codebook] of codebooks.entries()) {
    const codewords = codebook.length / dim;
    const blocks = new PointBlocks(device, rows, dim, codewords);
    const centres = device.upload(codebook as Float32Array, codewords, dim);
    try {
      blocks.write(residuals);
      const { labels } = await blocks.assign(centres);
      labels.forEach((label, item) => codes[item * levels + level] = label);
      subtract(residuals, codebook, labels, dim);
    } finally {
      device.destroy(centres);
      blocks.destroy();
    }
  }
  return codes;
}

function checkEmbeddings({ data, rows, dim }: Embeddings): void {
  if (rows === 0 || dim === 0 || data.length !== rows * dim) {
    throw new UserError(
      `Cannot make SIDs: embeddings are (${rows}, ${dim}) with ${data.length} numbers, expected ${
        rows * dim
      } ` +
        "and at least one. Write the embedding file again",
    );
  }
  const bad: number[] = [];
  // A square that float32 cannot hold would make every distance infinite.
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = row * dim; i < (row + 1) * dim; i++) squares += data[i] * data[i];
    if (!Number.isFinite(Math.fround(4 * squares))) bad.push(row);
  }
  if (bad.length === 0) return;
  const listed = bad.slice(0, 5).join(", ") + (bad.length > 5 ? ` and ${bad.length - 5} more` : "");
  throw new UserError(
    `Cannot make SIDs: the embeddings of items ${listed} hold NaN, infinite or huge numbers, expected finite ones. ` +
      "Embed these items again",
  );
}

/** Codewords (K, D) that level `level` starts from: items chosen by k-means++. */
async function startOf(
  device: Device,
  residuals: Float32Array,
  { rows, dim }: Embeddings,
  codebookSize: number,
  seed: number,
  level: number,
): Promise<Float32Array> {
  const random = new PhiloxStream(seed, "k-means++", level);
  const uniforms = Float32Array.from({ length: codebookSize }, () => random.uniform());
  const most = blockRows(device, dim);
  const items = rows <= most ? undefined : shuffledOrder(rows, seed, level).subarray(0, most);
  const sample = items ? rowsOf(residuals, items, dim) : residuals;
  return rowsOf(sample, await chooseStart(device, sample, dim, uniforms), dim);
}

function rowsOf(data: Float32Array, rows: Uint32Array, dim: number): Float32Array {
  const picked = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => picked.set(data.subarray(row * dim, (row + 1) * dim), i * dim));
  return picked;
}

function subtract(residuals: Float32Array, codebook: Float32Array, labels: Uint32Array, dim: number): void {
  labels.forEach((label, item) => {
    for (let d = 0; d < dim; d++) residuals[item * dim + d] -= codebook[label * dim + d];
  });
}

function meanSquare(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0) / values.length;
}
