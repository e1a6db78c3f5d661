import { z } from "zod";
import type { Device } from "../../kernels/gpu/device.ts";
import { bestOfStarts } from "../kmeans/best_of_starts.ts";
import { checkEmbeddings, checkEnoughItems, type Embeddings } from "../embeddings.ts";
import { progressiveStart } from "../kmeans/start.ts";
import { lloyd } from "../kmeans/lloyd.ts";
import type { SidFit, SidMethod, SidProgress } from "../method.ts";
import { PointBlocks } from "../kmeans/point_blocks.ts";
import { encodeResidual, fitResidual, type Level } from "../kmeans/residuals.ts";

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
  /** Starts of each level, of which the one of least error is kept. Default: 3. */
  starts: number;
  /** Seed of the starts. Default: 42. */
  seed: number;
}

/** Settings that all methods built on residual k-means share. */
export const rqKmeansFields = {
  levels: z.int().min(1).max(8).default(3).describe("codebooks, one a token of the SID"),
  codebookSize: z.int().min(2).max(16384).default(256).describe("codewords in each codebook"),
  iterations: z.int().min(1).default(25).describe("most updates of the codewords of a level"),
  tolerance: z.number().min(0).default(1e-4).describe(
    "relative fall of the error below which a level is done",
  ),
  starts: z.int().min(1).default(3).describe("starts of each level; the one of least error is kept"),
  seed: z.int().min(0).default(42).describe("seed of the starts"),
} satisfies { [K in keyof RqKmeansConfig]: z.ZodType<RqKmeansConfig[K]> };

/**
 * Residual k-means: level l clusters what the codewords of the levels before leave over of each item. Progressive
 * start, Lloyd's algorithm, empty clusters refilled.
 */
export const rqKmeans: SidMethod<RqKmeansConfig> = {
  name: "rqkmeans",
  Config: z.strictObject(rqKmeansFields),
  fit: (device, { embeddings }, config, onProgress) => residualKmeans(device, embeddings, config, onProgress),
  encode: encodeResidual,
};

/** Makes of the clusters of a level, found for `points` (N, D), what the level shall be. */
export type AdjustLevel = (found: Level, points: Embeddings, level: number) => Level | Promise<Level>;

/** Fits {@link rqKmeans}; `adjust` changes a level before the next one codes what it leaves over. */
export async function residualKmeans(
  device: Device,
  embeddings: Embeddings,
  { levels, codebookSize, iterations, tolerance, starts, seed }: RqKmeansConfig,
  onProgress?: (progress: SidProgress) => void,
  adjust: AdjustLevel = (found) => found,
): Promise<SidFit> {
  const { rows, dim } = embeddings;
  checkEmbeddings(embeddings);
  checkEnoughItems(embeddings, codebookSize);
  const blocks = new PointBlocks(device, rows, dim, codebookSize);
  try {
    return await fitResidual(embeddings, levels, async (residuals, level) => {
      const points = { data: residuals, rows, dim };
      blocks.write(residuals);
      const found = await bestOfStarts(
        points,
        level,
        { levels, starts, iterations },
        async (index, report) => {
          const from = await progressiveStart(device, points, codebookSize, seed, index);
          return await lloyd(device, blocks, from, codebookSize, { iterations, tolerance }, report);
        },
        onProgress,
      );
      return await adjust(found, points, level);
    });
  } finally {
    blocks.destroy();
  }
}
