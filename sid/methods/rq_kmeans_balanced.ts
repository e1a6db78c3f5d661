import { z } from "zod";
import { count } from "../../base/fields.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import {
  type CostBlock,
  type Costs,
  evenCapacities,
  fillCapacities,
  suitedEpsilon,
  transportPrices,
} from "../assignment/balanced_transport.ts";
import type { Embeddings } from "../embeddings.ts";
import { means } from "../kmeans/start.ts";
import type { SidMethod } from "../method.ts";
import type { RqKmeansBalancedConfig } from "../settings.generated.ts";
import { PointBlocks } from "../kmeans/point_blocks.ts";
import { encodeResidual, type Level } from "../kmeans/residuals.ts";
import { residualKmeans, rqKmeansFields } from "./rq_kmeans.ts";

export type { RqKmeansBalancedConfig };

/** Costs of up to so many numbers are kept between rounds, larger ones computed again: 512 MiB. */
const KEPT_COSTS = 2 ** 27;

/**
 * Residual k-means whose items are then shared out evenly over the codewords of each level, by entropic optimal
 * transport; codewords become the means of what they got, and the next level codes what is left over. Needs memory for
 * K prices, so it takes more items than `rqkmeans-constrained`, whose assignment is the cheapest.
 */
export const rqKmeansBalanced: SidMethod<RqKmeansBalancedConfig> = {
  name: "rqkmeans-balanced",
  Config: z.strictObject({
    ...rqKmeansFields,
    sinkhornIterations: count().default(100).describe("most rounds of Sinkhorn's algorithm a level"),
  }).describe("Settings of `rqkmeans-balanced`."),
  fit: (device, { embeddings }, config, onProgress) =>
    residualKmeans(
      device,
      embeddings,
      config,
      onProgress,
      (found, points, level) => balance(device, found, points, config, level),
    ),
  encode: encodeResidual,
};

async function balance(
  device: Device,
  { codebook }: Level,
  points: Embeddings,
  { codebookSize, sinkhornIterations, seed }: RqKmeansBalancedConfig,
  level: number,
): Promise<Level> {
  const blocks = new PointBlocks(device, points.rows, points.dim, codebookSize);
  try {
    blocks.write(points.data);
    let costs: Costs = () => blocks.relativeDistances(codebook);
    if (points.rows * codebookSize <= KEPT_COSTS) {
      const kept: CostBlock[] = await Array.fromAsync(costs());
      costs = () => kept;
    }
    const capacities = evenCapacities(points.rows, codebookSize);
    const epsilon = await suitedEpsilon(costs, points.rows, codebookSize);
    const options = { epsilon, iterations: sinkhornIterations, tolerance: 0.01 };
    const prices = await transportPrices(costs, capacities, options);
    const order = (count: number, first: number) => shuffledOrder(count, seed + level, first);
    const labels = await fillCapacities(costs, capacities, prices, order);
    return { codebook: means(points, labels, codebookSize), labels };
  } finally {
    blocks.destroy();
  }
}
