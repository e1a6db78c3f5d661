import { z } from "zod";
import { count } from "../../base/fields.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import {
  type CostBlock,
  evenCapacities,
  fillCapacities,
  suitedEpsilon,
  transportPrices,
} from "../assignment/balanced_transport.ts";
import { type Embeddings, pickRows } from "../embeddings.ts";
import { means } from "../kmeans/start.ts";
import type { SidMethod } from "../method.ts";
import type { RqKmeansBalancedConfig } from "../settings.generated.ts";
import { distancesToRelative, PointBlocks, relativeCentres } from "../kmeans/point_blocks.ts";
import { encodeResidual, type Level } from "../kmeans/residuals.ts";
import { residualKmeans, rqKmeansFields } from "./rq_kmeans.ts";

export type { RqKmeansBalancedConfig };

/** Costs of up to so many numbers stay on the device between rounds, larger ones are computed again: 512 MiB. */
const KEPT_COSTS = 2 ** 27;
/** Points, at about equal distances, whose costs tell how strong the entropy shall be. */
const SAMPLED_POINTS = 4000;

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
    return await device.scope(async () => {
      const centres = relativeCentres(device, codebook, points.dim);
      const distances = function* () {
        for (const block of blocks.blocks) {
          const costs = distancesToRelative(device, block, centres);
          yield costs;
          device.release(costs);
        }
      };
      let costs: () => Iterable<Matrix> = distances;
      if (points.rows * codebookSize <= KEPT_COSTS) {
        const kept = blocks.blocks.map((block) => distancesToRelative(device, block, centres));
        costs = () => kept;
      }
      const capacities = evenCapacities(points.rows, codebookSize);
      const step = Math.ceil(points.rows / SAMPLED_POINTS);
      const items = Uint32Array.from({ length: Math.ceil(points.rows / step) }, (_, i) => i * step);
      const sample = device.matrix(items.length, points.dim);
      device.write(sample, pickRows(points.data, items, points.dim));
      const [sampled] = await device.read(distancesToRelative(device, sample, centres));
      const epsilon = suitedEpsilon(sampled, codebookSize);
      const heights = blocks.blocks.map(({ rows }) => rows);
      const options = { epsilon, iterations: sinkhornIterations, tolerance: 0.01 };
      const prices = await transportPrices(device, costs, heights, capacities, options);
      const order = (count: number, first: number) => shuffledOrder(count, seed + level, first);
      const labels = await fillCapacities(inTurn(device, costs()), capacities, prices, order);
      return { codebook: means(points, labels, codebookSize), labels };
    });
  } finally {
    blocks.destroy();
  }
}

/** Reads costs block by block. */
async function* inTurn(device: Device, costs: Iterable<Matrix>): AsyncGenerator<CostBlock> {
  let first = 0;
  for (const block of costs) {
    const [values] = await device.read(block);
    yield { first, values };
    first += block.rows;
  }
}
