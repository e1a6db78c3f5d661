import type { Device } from "../../kernels/gpu/device.ts";
import { symmetricEigen } from "../../embed/text/symmetric_eigen.ts";
import type { Embeddings } from "../embeddings.ts";
import { principalAxes } from "./principal_axes.ts";

/** Orthonormal columns that vectors are turned to, (D, W) row after row. */
export interface Rotation {
  axes: Float32Array;
  /** D. */
  dim: number;
  /** W <= D. */
  width: number;
}

/**
 * Principal axes shared out among `parts` equal parts of the columns, so that the parts have variances of about equal
 * product: each axis, largest first, goes to the part of least product that has room. The start of optimized product
 * quantization (Ge, He, Ke and Sun 2013, section 3.2, eigenvalue allocation).
 */
export async function allocatedAxes(
  device: Device,
  points: Embeddings,
  width: number,
  parts: number,
  seed: number,
): Promise<Rotation> {
  const { axes, variances } = await principalAxes(device, points, width, seed);
  const room = width / parts;
  const members: number[][] = Array.from({ length: parts }, () => []);
  const logProducts = new Float64Array(parts);
  variances.forEach((variance, axis) => {
    let part = -1;
    for (let p = 0; p < parts; p++) {
      if (members[p].length < room && (part < 0 || logProducts[p] < logProducts[part])) part = p;
    }
    members[part].push(axis);
    logProducts[part] += Math.log(Math.max(variance, Number.MIN_VALUE));
  });
  const order = members.flat();
  const turned = Float32Array.from(axes, (_, i) => axes[i - i % width + order[i % width]]);
  return { axes: turned, dim: points.dim, width };
}

/** Keeps columns where nothing pulls at them: a share of what the strongest pulls. */
const HOLD = 1e-6;

/**
 * The orthonormal R (D, W) that makes sum |x - R y|² least, given M = sum x yᵀ (D, W): the polar factor of M
 * (orthogonal Procrustes problem, Schönemann 1966), by the eigenvectors of MᵀM. Where M does not tell, as before.
 */
export function procrustes(m: Float64Array, { axes, dim, width }: Rotation): Rotation {
  const scale = HOLD * Math.sqrt(m.reduce((sum, value) => sum + value * value, 0));
  const pull = m.map((value, i) => value + scale * axes[i]);
  const gram = new Float64Array(width * width);
  for (let d = 0; d < dim; d++) {
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) gram[i * width + j] += pull[d * width + i] * pull[d * width + j];
    }
  }
  const { values, vectors } = symmetricEigen(gram, width);
  const root = new Float64Array(width * width); // (MᵀM)^(-1/2)
  for (let e = 0; e < width; e++) {
    if (values[e] <= 1e-24 * values[0]) continue;
    const inverse = 1 / Math.sqrt(values[e]);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) {
        root[i * width + j] += inverse * vectors[i * width + e] * vectors[j * width + e];
      }
    }
  }
  const turned = new Float32Array(dim * width);
  for (let d = 0; d < dim; d++) {
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += pull[d * width + i] * root[i * width + j];
      turned[d * width + j] = sum;
    }
  }
  return { axes: turned, dim, width };
}
