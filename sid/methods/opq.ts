import { z } from "zod";
import { count } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { describeCodes } from "../kmeans/additive_beam.ts";
import { checkEmbeddings, type Embeddings } from "../embeddings.ts";
import { levels } from "../fields.ts";
import type { SidCodes, SidMethod, SidModel } from "../method.ts";
import type { OpqConfig } from "../settings.generated.ts";
import { PointBlocks } from "../kmeans/point_blocks.ts";
import { applyRotation, partOf, trainProduct, turnedBack } from "../kmeans/product_quantizer.ts";
import { checkCodebookWidth, codebookName, encodeResidual, subtractCodewords } from "../kmeans/residuals.ts";
import type { Rotation } from "../kmeans/rotation.ts";
import { residualKmeans, rqKmeansFields } from "./rq_kmeans.ts";

export type { OpqConfig };

const ROTATION = "rotation";

/**
 * RQ-OPQ: residual k-means on the first levels, whose codes are prefixes of meaning, then an optimized product
 * quantizer of what they leave over: rotated, cut in parts, each part one level of its own k-means. So codes of the last
 * levels do not depend on each other. Sources: OneSearch (Chen et al. 2025, section on RQ-OPQ encoding), and Ge, He, Ke
 * and Sun 2013, Optimized product quantization.
 */
export const opq: SidMethod<OpqConfig> = {
  name: "opq",
  Config: z.strictObject({
    ...rqKmeansFields,
    levels: levels(4),
    productLevels: count().max(7).default(2).describe(
      "last levels, that code parts of the remainder side by side",
    ),
    rotatedDim: count().max(512).default(128).describe("most dimensions of the rotated remainder"),
    rotations: count(0).default(20).describe("updates of the rotation"),
  }).refine(({ levels, productLevels }) => productLevels < levels, {
    error: "--product-levels must be less than --levels: the first levels code residuals",
  }).describe("Settings of `opq`."),
  async fit(device, { embeddings }, config, onProgress) {
    const { levels, productLevels, iterations, starts, rotations } = config;
    const { rows, dim } = embeddings;
    const width = Math.floor(Math.min(dim, config.rotatedDim) / productLevels) * productLevels;
    if (width === 0) {
      throw new UserError(
        `Cannot cut embeddings of width ${dim}, at most ${config.rotatedDim} rotated, into ${productLevels} parts: ` +
          `expected at least one dimension each. Use --product-levels ${
            Math.max(1, Math.min(dim, config.rotatedDim))
          } or less`,
      );
    }
    const head = levels - productLevels;
    const before = head * starts * iterations;
    const total = before + rotations;
    const { model } = await residualKmeans(
      device,
      embeddings,
      { ...config, levels: head },
      onProgress && ((progress) => onProgress({ ...progress, total })),
    );
    const left = await remainder(device, embeddings, model);
    const { rotation, codebooks } = await trainProduct(
      device,
      { data: left.residuals, rows, dim },
      { ...config, width, parts: productLevels },
      (done, error) =>
        onProgress?.({
          done: before + done,
          total,
          state: `rotation ${done}, error ${error.toExponential(2)}`,
        }),
    );
    model.tensors.set(ROTATION, { shape: [dim, width], data: Float32Array.from(rotation.axes) });
    codebooks.forEach((data, part) => {
      model.codebookSizes.push(config.codebookSize);
      model.tensors.set(codebookName(head + part), {
        shape: [config.codebookSize, width / productLevels],
        data,
      });
    });
    return { ...await encode(device, embeddings, model), model };
  },
  encode,
};

async function encode(device: Device, embeddings: Embeddings, model: SidModel): Promise<SidCodes> {
  checkEmbeddings(embeddings);
  const { rows, dim } = embeddings;
  const { data: axes, shape: [learned, width] } = model.tensors.get(ROTATION)!;
  checkCodebookWidth(dim, learned);
  const rotation: Rotation = { axes, dim, width };
  const sizes = model.codebookSizes;
  const codebooks = sizes.map((_, level) => model.tensors.get(codebookName(level))!);
  const parts = width / codebooks.at(-1)!.shape[1];
  const head = sizes.length - parts;
  const left = await remainder(device, embeddings, { ...model, codebookSizes: sizes.slice(0, head) });
  const turned = await applyRotation(device, { data: left.residuals, rows, dim }, rotation);
  const codes = new Uint16Array(rows * sizes.length);
  for (let row = 0; row < rows; row++) {
    codes.set(left.codes.subarray(row * head, (row + 1) * head), row * sizes.length);
  }
  let last = turned;
  for (let part = 0; part < parts; part++) {
    last = partOf(turned, part, parts);
    const labels = await nearest(device, last, codebooks[head + part].data);
    labels.forEach((label, row) => codes[row * sizes.length + head + part] = label);
  }
  const lifted = codebooks.map(({ data }, level) =>
    level < head ? data : turnedBack(rotation, data, level - head, parts)
  );
  const lastLevel = { residuals: last.data, codebook: codebooks.at(-1)!.data, dim: last.dim };
  return { ...describeCodes(embeddings, lifted, codes), lastLevel };
}

/** Codes of the first levels, and what they leave over of the items. */
async function remainder(device: Device, embeddings: Embeddings, head: SidModel) {
  const { codes, levels } = await encodeResidual(device, embeddings, head);
  const residuals = embeddings.data.slice();
  for (let level = 0; level < levels; level++) {
    const labels = codes.filter((_, i) => i % levels === level);
    subtractCodewords(residuals, head.tensors.get(codebookName(level))!.data, labels, embeddings.dim);
  }
  return { codes, residuals };
}

async function nearest(device: Device, { data, rows, dim }: Embeddings, codebook: Float32Array) {
  const codewords = codebook.length / dim;
  const blocks = new PointBlocks(device, rows, dim, codewords);
  const centres = device.upload(codebook, codewords, dim);
  try {
    blocks.write(data);
    return (await blocks.assign(centres)).labels;
  } finally {
    device.destroy(centres);
    blocks.destroy();
  }
}
