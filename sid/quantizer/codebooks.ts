import type { Device } from "../../kernels/gpu/device.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import type { Embeddings } from "../embeddings.ts";
import { kmeansPlusPlus } from "../kmeans/start.ts";
import { fillEmpty, lloyd } from "../kmeans/lloyd.ts";
import { PointBlocks } from "../kmeans/point_blocks.ts";
import { codebookName, fitResidual, subtractCodewords } from "../kmeans/residuals.ts";

/** Codebooks by residual k-means of latents: `codebook.0` (K, D) … */
export async function kmeansCodebooks(
  device: Device,
  latents: Embeddings,
  codebookSizes: readonly number[],
  { iterations, seed }: { iterations: number; seed: number },
): Promise<TensorMap> {
  const { rows, dim } = latents;
  const { model } = await fitResidual(latents, codebookSizes.length, async (residuals, level) => {
    const blocks = new PointBlocks(device, rows, dim, codebookSizes[level]);
    try {
      blocks.write(residuals);
      const start = await kmeansPlusPlus(device, residuals, latents, codebookSizes[level], seed, level);
      const options = { iterations, tolerance: 0 };
      const { centres, labels } = await lloyd(device, blocks, start, codebookSizes[level], options);
      return { codebook: centres, labels };
    } finally {
      blocks.destroy();
    }
  });
  return model.tensors;
}

/** A codeword that moved. */
export interface MovedCodeword {
  level: number;
  codeword: number;
}

/**
 * Moves every codeword that no row uses to what its level has to code of the row that it codes worst; each row is taken
 * once a level, rows alone on their codeword stay. latents (N, D) and codes (N, L); changes the codebooks in `tensors`.
 */
export function reviveCodewords(
  tensors: TensorMap,
  { data, rows, dim }: Embeddings,
  codes: Uint16Array,
  codebookSizes: readonly number[],
): MovedCodeword[] {
  const levels = codebookSizes.length;
  const residuals = data.slice();
  const moved: MovedCodeword[] = [];
  for (let level = 0; level < levels; level++) {
    const codebook = tensors.get(codebookName(level))!.data;
    const labels = Uint32Array.from({ length: rows }, (_, row) => codes[row * levels + level]);
    const coded = residuals.slice();
    subtractCodewords(residuals, codebook, labels, dim);
    const distances = Float32Array.from({ length: rows }, (_, row) => {
      const left = residuals.subarray(row * dim, (row + 1) * dim);
      return left.reduce((sum, value) => sum + value * value, 0);
    });
    fillEmpty(labels, distances, codebookSizes[level]).forEach((codeword, row) => {
      if (codeword === labels[row]) return;
      codebook.set(coded.subarray(row * dim, (row + 1) * dim), codeword * dim);
      moved.push({ level, codeword });
    });
  }
  return moved;
}
