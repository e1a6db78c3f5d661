import { z } from "zod";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import type { RqVaeShape } from "../../models/quantizer/rq_vae.ts";
import { checkEmbeddings, checkEnoughItems, type Embeddings } from "../embeddings.ts";
import type { OpenFitStore, SidFit, SidInput, SidMethod, SidProgress } from "../method.ts";
import { codebookSize, levels } from "../fields.ts";
import { learningRate } from "../../models/optimizer/fields.ts";
import type { RqKmeansPlusConfig } from "../settings.generated.ts";
import { fitNormalizer, normalize } from "../normalize.ts";
import { quantizerFields, quantizerShape } from "../quantizer/config.ts";
import { trainQuantizer } from "../quantizer/training.ts";
import { rqKmeans } from "./rq_kmeans.ts";
import { rqKmeansConstrained } from "./rq_kmeans_constrained.ts";
import { encodeQuantizer, fittedQuantizer } from "./rq_vae.ts";

export type { RqKmeansPlusConfig };

const { latentDim: _latentDim, codebookStart: _start, startIterations: _iterations, ...shared } =
  quantizerFields;
const Config = z.strictObject({
  start: z.enum(["rqkmeans", "rqkmeans-constrained"]).default("rqkmeans-constrained").describe(
    "method whose codebooks training starts from",
  ),
  levels: levels(),
  codebookSize: codebookSize(),
  ...shared,
  learningRate: learningRate(1e-4),
}).describe("Settings of `rqkmeans-plus`.");

/**
 * RQ-KMeans+ (GPR, arXiv:2511.10138): codebooks of residual k-means, warm start of an RQ-VAE whose encoder adds its
 * input, z = x + MLP(x). The last matrix of the MLP starts at 0, so training begins at the codes of k-means.
 */
export const rqKmeansPlus: SidMethod<RqKmeansPlusConfig> = {
  name: "rqkmeans-plus",
  Config,
  trains: true,
  fit,
  rehearse: (device, input, config, onProgress) =>
    fit(device, input, { ...config, start: "rqkmeans" }, onProgress),
  encode: (device, embeddings, model, config) => encodeQuantizer(device, embeddings, model, config, true),
};

async function fit(
  device: Device,
  { embeddings }: SidInput,
  config: RqKmeansPlusConfig,
  onProgress?: (progress: SidProgress) => void,
  openStore?: OpenFitStore,
): Promise<SidFit> {
  checkEmbeddings(embeddings);
  checkEnoughItems(embeddings, config.codebookSize);
  const normalizer = fitNormalizer(embeddings, config.normalize);
  const data = normalize(embeddings, normalizer);
  const shape = plusShape(embeddings.dim, config);
  const training = {
    ...config,
    latentDim: embeddings.dim,
    codebookStart: "uniform" as const,
    startIterations: 1,
  };
  const trained = await trainQuantizer(device, data, shape, training, {
    initial: async (fresh) => new Map([...fresh, ...await startCodebooks(device, data, config)]),
    onProgress,
    openStore,
  });
  const fitted = fittedQuantizer(trained, config, shape.codebookSizes, normalizer);
  return { ...await rqKmeansPlus.encode(device, embeddings, fitted.model, config), ...fitted };
}

/** Codebooks `codebook.0` (K, D) … that training starts from, of normalised embeddings. */
export async function startCodebooks(
  device: Device,
  data: Embeddings,
  { start, levels, codebookSize, seed }: RqKmeansPlusConfig,
): Promise<TensorMap> {
  const settings = { levels, codebookSize, seed };
  const { model } = start === "rqkmeans"
    ? await rqKmeans.fit(device, { embeddings: data }, rqKmeans.Config.parse(settings))
    : await rqKmeansConstrained.fit(device, { embeddings: data }, rqKmeansConstrained.Config.parse(settings));
  return model.tensors;
}

/** Sizes for embeddings of a width: hidden layers as in RQ-VAE, latents as wide as the input. */
export function plusShape(
  width: number,
  { levels, codebookSize, layers, batchNorm }: RqKmeansPlusConfig,
): RqVaeShape {
  const codebookSizes = new Array<number>(levels).fill(codebookSize);
  return {
    ...quantizerShape(width, codebookSizes, { layers, batchNorm, latentDim: 32 }),
    latentWidth: width,
    skip: true,
  };
}
