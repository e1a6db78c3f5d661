import { z } from "zod";
import { count } from "../../base/fields.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { beamCodes, codebooksOf, describeCodes } from "../kmeans/additive_beam.ts";
import { checkEmbeddings, type Embeddings } from "../embeddings.ts";
import type { SidMethod } from "../method.ts";
import type { RvqConfig } from "../settings.generated.ts";
import { codebookName, subtractCodewords } from "../kmeans/residuals.ts";
import { residualKmeans, rqKmeansFields } from "./rq_kmeans.ts";

export type { RvqConfig };

/**
 * Residual vector quantisation refined as a whole: residual k-means, then in turns all items coded anew by beam search
 * and each codebook made the means of what all other levels leave over, so that levels make up for each other's
 * errors. The round of least error is kept. Source: Ai, Yu, Wu, He and Guan 2015, Optimized residual vector
 * quantization for efficient approximate nearest neighbor search.
 */
export const rvq: SidMethod<RvqConfig> = {
  name: "rvq",
  Config: z.strictObject({
    ...rqKmeansFields,
    beam: count().max(64).default(8).describe("beginnings of codes that encoding follows at once"),
    rounds: count(0).default(20).describe("most rounds of refining all codebooks together"),
  }).describe("Settings of `rvq`."),
  async fit(device, { embeddings }, config, onProgress) {
    const { levels, iterations, starts, rounds, beam, tolerance } = config;
    const before = levels * starts * iterations;
    const total = before + rounds;
    const { model } = await residualKmeans(
      device,
      embeddings,
      config,
      onProgress && ((progress) => onProgress({ ...progress, total })),
    );
    let codebooks = codebooksOf(model, embeddings);
    let best = { codebooks, ...await coded(device, embeddings, codebooks, beam) };
    for (let round = 1; round <= rounds; round++) {
      codebooks = refine(embeddings, codebooks, best.codes);
      const next = { codebooks, ...await coded(device, embeddings, codebooks, beam) };
      const [kept, after] = [best, next].map(({ errors }) => errors[levels - 1]);
      onProgress?.({
        done: before + round,
        total,
        state: `round ${round}, error ${after.toExponential(2)}`,
      });
      if (after < kept) best = next;
      if (!(kept - after >= tolerance * kept) || after === 0) break;
    }
    const { codebooks: final, ...codes } = best;
    final.forEach((data, level) => {
      const name = codebookName(level);
      model.tensors.set(name, { ...model.tensors.get(name)!, data: Float32Array.from(data) });
    });
    return { ...codes, model };
  },
  async encode(device, embeddings, model, { beam }) {
    checkEmbeddings(embeddings);
    return await coded(device, embeddings, codebooksOf(model, embeddings), beam);
  },
};

async function coded(
  device: Device,
  embeddings: Embeddings,
  codebooks: readonly Float32Array[],
  beam: number,
) {
  return describeCodes(embeddings, codebooks, await beamCodes(device, embeddings, codebooks, beam));
}

/**
 * Each codebook (K, D) in turn becomes the means of what the codewords of all other levels leave over of the items with
 * its codes: the total error never rises. A codeword that no item has stays.
 */
function refine(
  { data, rows, dim }: Embeddings,
  codebooks: readonly Float32Array[],
  codes: Uint16Array,
): Float32Array[] {
  const levels = codebooks.length;
  const residuals = data.slice();
  const labels = codebooks.map((_, level) => codes.filter((_, i) => i % levels === level));
  codebooks.forEach((codebook, level) => subtractCodewords(residuals, codebook, labels[level], dim));
  return codebooks.map((codebook, level) => {
    const own = labels[level];
    const drift = new Float64Array(codebook.length); // sum of residuals: how far the mean is from the codeword
    const counts = new Uint32Array(codebook.length / dim);
    for (let row = 0; row < rows; row++) {
      counts[own[row]]++;
      for (let d = 0; d < dim; d++) drift[own[row] * dim + d] += residuals[row * dim + d];
    }
    const moves = Float32Array.from(drift, (sum, i) => sum / Math.max(1, counts[Math.floor(i / dim)]));
    subtractCodewords(residuals, moves, own, dim);
    return codebook.map((value, i) => value + moves[i]);
  });
}
