import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { reconstructionLoss } from "../../kernels/quantizer/reconstruction.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import { type QuantizedLatents, ResidualQuantizer } from "../../models/quantizer/residual.ts";
import type { RqVae } from "../../models/quantizer/rq_vae.ts";
import type { Embeddings } from "../embeddings.ts";
import type { SidCodes } from "../method.ts";
import { denormalize, type Normalizer } from "../normalize.ts";

// Rows that go through the model at a time: also bounds the reconstructions that are on the host at once.
const BLOCK = 4096;

/** Codes of all rows of normalised inputs. */
export interface CodedRows {
  /** (N, L). */
  codes: Uint16Array<ArrayBuffer>;
  /** Mean over dimensions of the squared reconstruction error of each row (N), in normalised units. */
  errors: Float32Array<ArrayBuffer>;
}

interface Block {
  first: number;
  rows: number;
  input: Matrix;
  latents: Matrix;
  quantized: QuantizedLatents;
  tape: Tape;
}

/** Codes of normalised rows (N, width), and how well all of their codes together say them. */
export async function codeRows(model: RqVae, data: Embeddings): Promise<CodedRows> {
  const { device } = model;
  const codes = new Uint16Array(data.rows * model.shape.codebookSizes.length);
  const errors = new Float32Array(data.rows);
  const weights = device.createFlat("f32", new Float32Array(BLOCK).fill(1 / data.dim));
  const rowErrors = device.createFlat("f32", BLOCK);
  try {
    await forEachBlock(model, data, async ({ first, rows, input, quantized, tape }) => {
      const prediction = model.decode(tape, quantized.quantized);
      reconstructionLoss(device, prediction, input, weights, rowErrors, "mse");
      const [values, ...labels] = await device.read(rowErrors, ...quantized.labels);
      errors.set(values.subarray(0, rows), first);
      writeCodes(codes, labels, first, rows);
    });
  } finally {
    [weights, rowErrors].forEach((flat) => device.destroy(flat));
  }
  return { codes, errors };
}

/** Latents (N, latentWidth) of normalised rows. */
export async function latentsOf(model: RqVae, data: Embeddings): Promise<Float32Array<ArrayBuffer>> {
  const latents = new Float32Array(data.rows * model.shape.latentWidth);
  await forEachBlock(model, data, async (block) => {
    const [values] = await model.device.read(block.latents);
    latents.set(values, block.first * model.shape.latentWidth);
  });
  return latents;
}

/**
 * Codes of items by a trained model, with the reconstruction error by level in the units of `embeddings`, whose
 * normalised form is `data`: the decoder reads the sum of the first l + 1 codewords.
 */
export async function codeItems(
  model: RqVae,
  embeddings: Embeddings,
  data: Embeddings,
  normalizer: Normalizer,
): Promise<SidCodes> {
  const { latentWidth, codebookSizes } = model.shape;
  const { rows, dim } = embeddings;
  const levels = codebookSizes.length;
  const codes = new Uint16Array(rows * levels);
  const residuals = new Float32Array(rows * latentWidth);
  const squares = new Array<number>(levels).fill(0);
  await forEachBlock(model, data, async ({ first, rows, quantized, tape }) => {
    const predictions = quantized.sums.map((sum) => model.decode(tape, sum));
    const last = quantized.residuals[levels - 1];
    const values = await model.device.read(last, ...predictions, ...quantized.labels);
    residuals.set(values[0], first * latentWidth);
    writeCodes(codes, values.slice(1 + levels), first, rows);
    for (let level = 0; level < levels; level++) {
      const prediction = values[1 + level];
      denormalize(prediction, normalizer);
      prediction.forEach((value, i) => squares[level] += (value - embeddings.data[first * dim + i]) ** 2);
    }
  });
  const codebook = (await model.tensors()).get(`codebook.${levels - 1}`)!.data;
  return {
    codes,
    levels,
    errors: squares.map((sum) => sum / (rows * dim)),
    lastLevel: { residuals, codebook, dim: latentWidth },
  };
}

/** @throws {UserError} if the embeddings have another width than the model. */
export function checkEncoderWidth({ dim }: Embeddings, width: number): void {
  if (dim === width) return;
  throw new UserError(
    `Cannot code embeddings of width ${dim}: the encoder reads width ${width}. ` +
      "Use embeddings of the provider that the codebooks were learned from",
  );
}

async function forEachBlock(
  model: RqVae,
  data: Embeddings,
  work: (block: Block) => Promise<void>,
): Promise<void> {
  const { device, shape } = model;
  const levels = shape.codebookSizes.length;
  const quantizer = new ResidualQuantizer(device, shape.codebookSizes, Math.min(BLOCK, data.rows));
  const options = { levels, lossWeight: 0, beta: 0, residualGradients: false };
  try {
    for (let first = 0; first < data.rows; first += BLOCK) {
      await device.scope(async () => {
        const rows = Math.min(BLOCK, data.rows - first);
        const tape = new Tape(device, false);
        const input = rowBlock(device, data, first, rows);
        const latents = model.encode(tape, input);
        const quantized = quantizer.quantize(tape, model.parameters, latents, options);
        await work({ first, rows, input, latents, quantized, tape });
      });
    }
  } finally {
    quantizer.destroy();
  }
}

function rowBlock(device: Device, { data, dim }: Embeddings, first: number, rows: number): Matrix {
  const input = device.matrix(rows, dim);
  device.write(input, data.subarray(first * dim, (first + rows) * dim));
  return input;
}

function writeCodes(codes: Uint16Array, labels: Float32Array[], first: number, rows: number): void {
  labels.forEach((bits, level) => {
    const codewords = new Uint32Array(bits.buffer, bits.byteOffset, rows);
    codewords.forEach((codeword, row) => codes[(first + row) * labels.length + level] = codeword);
  });
}
