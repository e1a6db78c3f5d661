import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import { checkEmbeddings, type Embeddings } from "../embeddings.ts";
import type { SidCodes, SidFit, SidModel } from "../method.ts";
import { PointBlocks } from "./point_blocks.ts";

/** Codewords (K, D) of one level and the codeword (N) that each item has there. */
export interface Level {
  codebook: Float32Array<ArrayBuffer>;
  labels: Uint32Array;
}

/** Finds codewords for what is left over of the items, (N, D), on level `level` from 0. */
export type FitLevel = (residuals: Float32Array, level: number) => Promise<Level>;

/**
 * Residual quantisation: each level codes what the codewords of the levels before leave over of each item; `fitLevel`
 * says how. (Chen, Guan and Wang, Approximate Nearest Neighbor Search by Residual Vector Quantization, 2010.)
 */
export async function fitResidual(
  { data, rows, dim }: Embeddings,
  levels: number,
  fitLevel: FitLevel,
): Promise<SidFit> {
  const residuals = data.slice();
  const codes = new Uint16Array(rows * levels);
  const tensors: TensorMap = new Map();
  const codebookSizes: number[] = [];
  const errors: number[] = [];
  let last = residuals;
  for (let level = 0; level < levels; level++) {
    const { codebook, labels } = await fitLevel(residuals, level);
    const codewords = codebook.length / dim;
    tensors.set(codebookName(level), { shape: [codewords, dim], data: codebook });
    codebookSizes.push(codewords);
    labels.forEach((label, item) => codes[item * levels + level] = label);
    if (level === levels - 1) last = residuals.slice();
    subtractCodewords(residuals, codebook, labels, dim);
    errors.push(meanSquare(residuals));
  }
  const lastLevel = { residuals: last, codebook: tensors.get(codebookName(levels - 1))!.data, dim };
  return { codes, levels, errors, lastLevel, model: { codebookSizes, tensors } };
}

/**
 * Codes items greedily: on every level the nearest codeword to what is left over.
 * @throws {UserError} if the codebooks are of another width than the embeddings.
 */
export async function encodeResidual(
  device: Device,
  embeddings: Embeddings,
  { codebookSizes, tensors }: SidModel,
): Promise<SidCodes> {
  const { rows, dim } = embeddings;
  checkEmbeddings(embeddings);
  const levels = codebookSizes.length;
  const codes = new Uint16Array(rows * levels);
  const errors: number[] = [];
  const residuals = embeddings.data.slice();
  let last = residuals;
  for (let level = 0; level < levels; level++) {
    const { data: codebook, shape } = tensors.get(codebookName(level))!;
    checkCodebookWidth(dim, shape[1]);
    const blocks = new PointBlocks(device, rows, dim, shape[0]);
    const centres = device.upload(codebook, shape[0], dim);
    try {
      blocks.write(residuals);
      const { labels } = await blocks.assign(centres);
      labels.forEach((label, item) => codes[item * levels + level] = label);
      if (level === levels - 1) last = residuals.slice();
      subtractCodewords(residuals, codebook, labels, dim);
    } finally {
      device.destroy(centres);
      blocks.destroy();
    }
    errors.push(meanSquare(residuals));
  }
  const lastLevel = { residuals: last, codebook: tensors.get(codebookName(levels - 1))!.data, dim };
  return { codes, levels, errors, lastLevel };
}

/** @throws {UserError} if embeddings have another width than what was learned. */
export function checkCodebookWidth(dim: number, learned: number): void {
  if (dim === learned) return;
  throw new UserError(
    `Cannot code embeddings of width ${dim}: the codebooks have width ${learned}. ` +
      "Use embeddings of the provider that the codebooks were learned from",
  );
}

/** Name of a level's codebook among a model's tensors. */
export function codebookName(level: number): string {
  return `codebook.${level}`;
}

/** Takes each item's codeword (K, D) off its vector (N, D), in place. */
export function subtractCodewords(
  vectors: Float32Array,
  codebook: Float32Array,
  labels: ArrayLike<number>,
  dim: number,
): void {
  for (let item = 0; item < labels.length; item++) {
    const from = labels[item] * dim;
    for (let d = 0; d < dim; d++) vectors[item * dim + d] -= codebook[from + d];
  }
}

/** Mean of the squares, in double precision. */
export function meanSquare(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0) / values.length;
}
