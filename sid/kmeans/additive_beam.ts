import type { Device } from "../../kernels/gpu/device.ts";
import { matmulBt } from "../../kernels/matmul/matmul.ts";
import type { Embeddings } from "../embeddings.ts";
import type { SidCodes, SidModel } from "../method.ts";
import { PointBlocks } from "./point_blocks.ts";
import { checkCodebookWidth, codebookName, meanSquare, subtractCodewords } from "./residuals.ts";

/**
 * Codes (N, L) by beam search: level by level the `beam` beginnings of least squared error, where greedy coding keeps
 * one. Source: Babenko and Lempitsky 2014, Additive quantization for extreme vector compression. Products of items and codewords come from
 * the device; the host adds them up: |x - sum c|² = |x|² + sum (|c|² - 2 x c) + 2 sum of products of codewords.
 */
export async function beamCodes(
  device: Device,
  { data, rows, dim }: Embeddings,
  codebooks: readonly Float32Array[],
  beam: number,
): Promise<Uint16Array<ArrayBuffer>> {
  const levels = codebooks.length;
  const sizes = codebooks.map((codebook) => codebook.length / dim);
  const products = await codewordProducts(device, codebooks, dim);
  const codes = new Uint16Array(rows * levels);
  const blocks = new PointBlocks(device, rows, dim, Math.max(...sizes));
  try {
    blocks.write(data);
    const streams = codebooks.map((codebook) => blocks.relativeDistances(codebook));
    for (;;) { // all levels of a block at once
      const values: Float32Array[] = [];
      let first = 0;
      for (const stream of streams) {
        const { value, done } = await stream.next();
        if (done) return codes;
        first = value.first;
        values.push(value.values);
      }
      const count = values[0].length / sizes[0];
      const search = new Beam(products, sizes, beam);
      for (let i = 0; i < count; i++) {
        const distances = values.map((level, l) => level.subarray(i * sizes[l], (i + 1) * sizes[l]));
        codes.set(search.best(distances), (first + i) * levels);
      }
    }
  } finally {
    blocks.destroy();
  }
}

/** products[l][m], m < l: 2 c · c' of codewords of level m and of level l, (K_m, K_l). */
async function codewordProducts(
  device: Device,
  codebooks: readonly Float32Array[],
  dim: number,
): Promise<Float32Array[][]> {
  const products: Float32Array[][] = codebooks.map(() => []);
  await device.scope(async () => {
    const matrices = codebooks.map((codebook) => {
      const matrix = device.matrix(codebook.length / dim, dim);
      device.write(matrix, codebook);
      return matrix;
    });
    for (let l = 0; l < matrices.length; l++) {
      for (let m = 0; m < l; m++) {
        const product = matmulBt(device, matrices[m], matrices[l]);
        const [values] = await device.read(product);
        products[l].push(values.map((value) => 2 * value));
        device.release(product);
      }
    }
  });
  return products;
}

/** Beam search for the codes of one item at a time. */
class Beam {
  readonly #products: Float32Array[][];
  readonly #sizes: readonly number[];
  readonly #beam: number;

  constructor(products: Float32Array[][], sizes: readonly number[], beam: number) {
    this.#products = products;
    this.#sizes = sizes;
    this.#beam = beam;
  }

  /** distances[l] (K_l), less what is common to the level -> codes (L). */
  best(distances: readonly Float32Array[]): number[] {
    let found: { error: number; codes: number[] }[] = [{ error: 0, codes: [] }];
    distances.forEach((own, level) => {
      const next: typeof found = [];
      const errors = new Float64Array(this.#sizes[level]);
      for (const { error, codes } of found) {
        for (let k = 0; k < errors.length; k++) errors[k] = error + own[k];
        codes.forEach((code, before) => {
          const row = this.#products[level][before];
          const from = code * errors.length;
          for (let k = 0; k < errors.length; k++) errors[k] += row[from + k];
        });
        for (let k = 0; k < errors.length; k++) {
          if (next.length === this.#beam && errors[k] >= next[this.#beam - 1].error) continue;
          let at = Math.min(next.length, this.#beam - 1);
          while (at > 0 && next[at - 1].error > errors[k]) {
            next[at] = next[at - 1];
            at--;
          }
          next[at] = { error: errors[k], codes: [...codes, k] };
        }
      }
      found = next;
    });
    return found[0].codes;
  }
}

/** What additive codes (N, L) say about the items: errors by level and what the last level chose between. */
export function describeCodes(
  { data, dim }: Embeddings,
  codebooks: readonly Float32Array[],
  codes: Uint16Array<ArrayBuffer>,
): SidCodes {
  const levels = codebooks.length;
  const residuals = data.slice();
  let last = residuals;
  const errors = codebooks.map((codebook, level) => {
    if (level === levels - 1) last = residuals.slice();
    subtractCodewords(residuals, codebook, codes.filter((_, i) => i % levels === level), dim);
    return meanSquare(residuals);
  });
  return { codes, levels, errors, lastLevel: { residuals: last, codebook: codebooks[levels - 1], dim } };
}

/**
 * Codebooks (K, D) of a model, by level.
 * @throws {UserError} if they have another width than the embeddings.
 */
export function codebooksOf({ codebookSizes, tensors }: SidModel, { dim }: Embeddings): Float32Array[] {
  return codebookSizes.map((_, level) => {
    const { data, shape } = tensors.get(codebookName(level))!;
    checkCodebookWidth(dim, shape[1]);
    return data;
  });
}
