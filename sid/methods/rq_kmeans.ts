import { z } from "zod";
import { count, weight } from "../../base/fields.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { bestOfStarts } from "../kmeans/best_of_starts.ts";
import { checkEmbeddings, checkEnoughItems, type Embeddings } from "../embeddings.ts";
import { progressiveStart } from "../kmeans/start.ts";
import { lloyd } from "../kmeans/lloyd.ts";
import type { SidFit, SidMethod, SidProgress } from "../method.ts";
import { codebookSize, levels } from "../fields.ts";
import type { RqKmeansConfig } from "../settings.generated.ts";
import { PointBlocks } from "../kmeans/point_blocks.ts";
import { encodeResidual, fitResidual, type Level } from "../kmeans/residuals.ts";

export type { RqKmeansConfig };

/** Settings that all methods built on residual k-means share, with the defaults of one. */
export const residualKmeansFields = (usual: { iterations: number; tolerance: number; starts: number }) => ({
  levels: levels(),
  codebookSize: codebookSize(),
  iterations: count().default(usual.iterations).describe("most updates of the codewords of a level"),
  tolerance: weight.default(usual.tolerance).describe(
    "relative fall of the error below which a level is done",
  ),
  starts: count().default(usual.starts).describe("starts of each level; the one of least error is kept"),
  seed: count(0).default(42).describe("seed of the starts"),
});

/** The same with the defaults of {@link rqKmeans}. */
export const rqKmeansFields = residualKmeansFields({ iterations: 25, tolerance: 1e-4, starts: 3 });

/**
 * Residual k-means: level l clusters what the codewords of the levels before leave over of each item. Progressive
 * start, Lloyd's algorithm, empty clusters refilled.
 */
export const rqKmeans: SidMethod<RqKmeansConfig> = {
  name: "rqkmeans",
  Config: z.strictObject(rqKmeansFields).describe("Settings of `rqkmeans`."),
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
