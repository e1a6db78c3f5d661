import type { Device } from "../gpu/device.ts";
import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { rotary, type RotaryOptions, rotaryTable } from "./rotary.ts";

interface Attributes extends RotaryOptions {
  theta: number;
  scale: number;
  perRow: number;
}

const POSITIONS = 23;

export const spec: KernelSpec<Attributes> = {
  name: "rotary",
  cases: () =>
    [[1, 1, 1, 8, 10], [7, 2, 1, 24, 100], [19, 3, 3, 16, 1e4], [5, 4, 2, 64, 1e6]].map(
      ([rows, heads, kvHeads, headDim, theta], i) => ({
        name: `${rows} rows, ${heads} + 2 * ${kvHeads} heads of ${headDim}, ${i + 1} positions a row`,
        inputs: {
          x: matrixOf(rows, (heads + 2 * kvHeads) * headDim, noise(rows)),
          positions: flatOf("u32", Array.from({ length: rows }, (_, row) => (row * 5) % POSITIONS)),
        },
        attributes: { heads, kvHeads, headDim, theta, scale: 1 + i / 8, perRow: i + 1, inverse: i % 2 === 1 },
      }),
    ),
  reference: ({ x, positions }, { heads, kvHeads, headDim, theta, scale, inverse }) => {
    const y = x.data.slice();
    for (let row = 0; row < x.rows; row++) {
      for (let head = 0; head < heads + kvHeads; head++) {
        for (let i = 0; i < headDim / 2; i++) {
          const angle = (inverse ? -1 : 1) * positions.data[row] / Math.pow(theta, 2 * i / headDim);
          const at = row * x.cols + head * headDim + i;
          const [a, b] = [x.data[at], x.data[at + headDim / 2]];
          y[at] = scale * (a * Math.cos(angle) - b * Math.sin(angle));
          y[at + headDim / 2] = scale * (b * Math.cos(angle) + a * Math.sin(angle));
        }
      }
    }
    return { y: { ...x, data: y } };
  },
  forward: (device, { x, positions }, attributes) => ({
    y: rotary(device, x as Matrix, positions as Flat, tableOf(device, attributes), attributes),
  }),
  backward: (device, { positions }, _outputs, { y }, attributes) => ({
    x: rotary(device, y as Matrix, positions as Flat, tableOf(device, attributes), {
      ...attributes,
      inverse: !attributes.inverse,
    }),
  }),
};

function tableOf(device: Device, { headDim, theta, scale, perRow }: Attributes): Matrix {
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** (-2 * i / headDim));
  return rotaryTable(device, POSITIONS, frequencies, scale, perRow);
}
