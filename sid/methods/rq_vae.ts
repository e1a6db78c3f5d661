import { z } from "zod";
import type { Device } from "../../kernels/gpu/device.ts";
import { RqVae, type RqVaeShape } from "../../models/quantizer/rq_vae.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import { codebookSize, levels } from "../fields.ts";
import type { RqVaeConfig } from "../settings.generated.ts";
import { checkEmbeddings, checkEnoughItems, type Embeddings } from "../embeddings.ts";
import type { SidCodes, SidFit, SidInput, SidMethod, SidModel } from "../method.ts";
import {
  fitNormalizer,
  normalize,
  type Normalizer,
  normalizerOf,
  normalizerTensors,
  type VectorScaling,
} from "../normalize.ts";
import { checkEncoderWidth, codeItems } from "../quantizer/codes.ts";
import {
  CRITERIA,
  type Criterion,
  type QuantizerConfig,
  quantizerFields,
  quantizerShape,
} from "../quantizer/config.ts";
import { type QuantizerOptions, type TrainedQuantizer, trainQuantizer } from "../quantizer/training.ts";

export type { RqVaeConfig };

const Config = z.strictObject({
  levels: levels(),
  codebookSize: codebookSize(),
  ...quantizerFields,
}).describe("Settings of `rqvae`.");

/**
 * RQ-VAE: an autoencoder whose latents are coded by residual codebooks (Lee et al. 2022; Rajput et al. 2023, TIGER).
 * Codebooks start from k-means, unused codewords are revived, the epoch with the fewest collisions is kept.
 */
export const rqVae: SidMethod<RqVaeConfig> = {
  name: "rqvae",
  Config,
  trains: true,
  fit(device, input, config, onProgress, openStore) {
    const codebookSizes = new Array<number>(config.levels).fill(config.codebookSize);
    return fitQuantizer(device, input, codebookSizes, config, { onProgress, openStore });
  },
  encode: encodeQuantizer,
};

/** `SidMethod.fit` of an autoencoder with codebooks of these sizes; `options` make other methods of it. */
export async function fitQuantizer(
  device: Device,
  { embeddings }: SidInput,
  codebookSizes: readonly number[],
  config: QuantizerConfig,
  options: QuantizerOptions = {},
): Promise<SidFit> {
  checkEmbeddings(embeddings);
  checkEnoughItems(embeddings, Math.max(...codebookSizes));
  const normalizer = fitNormalizer(embeddings, config.normalize);
  const data = normalize(embeddings, normalizer);
  const shape = quantizerShape(embeddings.dim, codebookSizes, config);
  const trained = await trainQuantizer(device, data, shape, config, options);
  const fitted = fittedQuantizer(trained, config, codebookSizes, normalizer);
  return { ...await encodeQuantizer(device, embeddings, fitted.model, config), ...fitted };
}

/** What a training leaves for coding, the normaliser of its inputs included, and what it tells about itself. */
export function fittedQuantizer(
  { checkpoints: trained, ...notes }: TrainedQuantizer,
  { keep }: { keep: Criterion },
  codebookSizes: readonly number[],
  normalizer: Normalizer,
): Pick<SidFit, "model" | "checkpoints" | "notes"> {
  const complete = (weights: TensorMap): TensorMap => new Map([...weights, ...normalizerTensors(normalizer)]);
  return {
    model: { codebookSizes: [...codebookSizes], tensors: complete(trained[keep]) },
    checkpoints: Object.fromEntries(
      CRITERIA.map((criterion) => [`best-${criterion}`, complete(trained[criterion])]),
    ),
    notes,
  };
}

/**
 * `SidMethod.encode` of a model that {@link fitQuantizer} made: sizes are those of its tensors. `skip`: its encoder adds
 * the input to its output.
 */
export async function encodeQuantizer(
  device: Device,
  embeddings: Embeddings,
  { codebookSizes, tensors }: SidModel,
  config: { normalize: VectorScaling },
  skip = false,
): Promise<SidCodes> {
  checkEmbeddings(embeddings);
  const shape = storedShape(codebookSizes, tensors, skip);
  checkEncoderWidth(embeddings, shape.width);
  const normalizer = normalizerOf(tensors, config.normalize);
  const model = new RqVae(device, shape);
  try {
    model.load(tensors, "the model of these SIDs");
    return await codeItems(model, embeddings, normalize(embeddings, normalizer), normalizer);
  } finally {
    model.destroy();
  }
}

/** Sizes of the autoencoder that `tensors` are of. */
export function storedShape(codebookSizes: readonly number[], tensors: TensorMap, skip: boolean): RqVaeShape {
  const sizes: number[] = [];
  for (let layer = 0; tensors.has(`encoder.${layer}.weight`); layer++) {
    sizes.push(tensors.get(`encoder.${layer}.weight`)!.shape[0]);
  }
  const width = tensors.get("encoder.0.weight")!.shape[1];
  const batchNorm = tensors.has("encoder.0.norm.weight");
  return { width, layers: sizes.slice(0, -1), latentWidth: sizes.at(-1)!, codebookSizes, skip, batchNorm };
}
