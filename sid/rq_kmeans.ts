import { z } from "zod";
import { PhiloxStream } from "../data/philox.ts";
import { shuffledOrder } from "../data/shuffle.ts";
import type { Device } from "../kernels/device.ts";
import { checkEmbeddings, checkEnoughItems, type Embeddings } from "./embeddings.ts";
import { chooseStart, lloyd } from "./lloyd.ts";
import type { SidFit, SidInput, SidMethod, SidProgress } from "./method.ts";
import { blockRows, PointBlocks } from "./point_blocks.ts";
import { encodeResidual, fitResidual } from "./residuals.ts";

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
  encode: encodeResidual,
};

async function fit(
  device: Device,
  { embeddings }: SidInput,
  { levels, codebookSize, iterations, tolerance, seed }: RqKmeansConfig,
  onProgress?: (progress: SidProgress) => void,
): Promise<SidFit> {
  const { rows, dim } = embeddings;
  checkEmbeddings(embeddings);
  checkEnoughItems(embeddings, codebookSize);
  const blocks = new PointBlocks(device, rows, dim, codebookSize);
  try {
    return await fitResidual(embeddings, levels, async (residuals, level) => {
      blocks.write(residuals);
      const start = await kmeansPlusPlus(device, residuals, embeddings, codebookSize, seed, level);
      const report = (iteration: number, inertia: number) =>
        onProgress?.({
          done: level * iterations + iteration,
          total: levels * iterations,
          state: `level ${level + 1}, error ${(inertia / (rows * dim)).toExponential(2)}`,
        });
      const { centres, labels } = await lloyd(
        device,
        blocks,
        start,
        codebookSize,
        { iterations, tolerance },
        report,
      );
      return { codebook: centres, labels };
    });
  } finally {
    blocks.destroy();
  }
}

/**
 * Codewords (K, D) that level `level` starts from: items (at most 16384, drawn by the seed) chosen by k-means++
 * (Arthur and Vassilvitskii 2007).
 */
export async function kmeansPlusPlus(
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
