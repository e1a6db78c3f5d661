import { flatOf, type KernelSpec, matrixOf, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { extendPaths, uniquenessLoss, uniquenessLossBackward, type UniquenessOptions } from "./uniqueness.ts";

const remainders = (rows: number, divisor: number) =>
  flatOf("u32", Array.from({ length: rows }, (_, row) => row * row % divisor));

export const extendPathsSpec: KernelSpec = {
  name: "extendPaths",
  cases: () =>
    [[1, 1, 1], [40, 3, 5], [77, 7, 4]].map(([rows, prefixes, labels]) => ({
      name: `${rows} rows`,
      inputs: { prefixes: remainders(rows, prefixes), labels: remainders(rows, labels) },
      attributes: undefined,
    })),
  reference: ({ prefixes, labels }) => {
    const paths = Array.from(prefixes.data, (prefix, row) => `${prefix},${labels.data[row]}`);
    return { paths: flatOf("u32", paths.map((path) => paths.indexOf(path))) };
  },
  forward: (device, inputs) => {
    const { prefixes, labels } = inputs as Record<string, Flat>;
    const paths = device.createFlat("u32", prefixes.length);
    extendPaths(device, prefixes, labels, prefixes.length, paths);
    return { paths };
  },
};

export const uniquenessLossSpec: KernelSpec<UniquenessOptions> = {
  name: "uniquenessLoss",
  cases: () =>
    [[1, 1, 1], [12, 5, 3], [30, 9, 30], [9, 3, 1]].map(([rows, cols, paths]) => ({
      name: `(${rows}, ${cols}) on ${paths} paths`,
      inputs: {
        latents: matrixOf(rows, cols, noise(rows)),
        paths: remainders(rows, paths),
        spread: flatOf("f32", [rows * cols]),
      },
      attributes: { margin: 0.9, weight: 0.5 },
    })),
  reference: ({ latents, paths, spread }, { margin, weight }) => {
    const rowLoss = new Float64Array(latents.rows);
    for (let i = 0; i < latents.rows; i++) {
      for (let j = 0; j < latents.rows; j++) {
        if (i === j || paths.data[i] !== paths.data[j]) continue;
        const share = squaredDistance(latents, i, j) / (margin * spread.data[0] / latents.rows);
        rowLoss[i] += weight / 2 * Math.max(0, 1 - share);
      }
    }
    return { rowLoss: { kind: "f32", rows: 1, cols: rowLoss.length, data: rowLoss } };
  },
  forward: (device, inputs, options) => {
    const { latents, paths, spread } = inputs as { latents: Matrix; paths: Flat; spread: Flat };
    const ones = device.createFlat("f32", new Float32Array(latents.rows).fill(1));
    const rowLoss = device.createFlat("f32", latents.rows);
    uniquenessLoss(device, latents, paths, spread, ones, rowLoss, options);
    return { rowLoss };
  },
  // The weights of the rows take the place of the gradients of their losses.
  backward: (device, inputs, _outputs, { rowLoss }, options) => {
    const { latents, paths, spread } = inputs as { latents: Matrix; paths: Flat; spread: Flat };
    return { latents: uniquenessLossBackward(device, latents, paths, spread, rowLoss as Flat, options) };
  },
};

function squaredDistance({ data, cols }: Values, i: number, j: number): number {
  let sum = 0;
  for (let d = 0; d < cols; d++) sum += (data[i * cols + d] - data[j * cols + d]) ** 2;
  return sum;
}
