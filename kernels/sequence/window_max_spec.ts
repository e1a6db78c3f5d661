import { packedLayout } from "./window_spec.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { windowMax, windowMaxBackward } from "./window_max.ts";

export const spec: KernelSpec<{ count: number }> = {
  name: "windowMax",
  cases: () =>
    [
      { lengths: [3, 1, 6], unused: 2, width: 7, count: 4 },
      { lengths: [5, 2], unused: 0, width: 4, count: 1 },
    ].map(({ lengths, unused, width, count }) => {
      const { rows, positions } = packedLayout(lengths, unused);
      // All below 0, so that a maximum with what lies outside the sequence shows.
      const next = noise(rows * count);
      return {
        name: `${count} rows of (${rows}, ${width})`,
        inputs: { x: matrixOf(rows, width, () => next() - 9), positions },
        attributes: { count },
      };
    }),
  reference: ({ x, positions }, { count }) => {
    const data = x.data.map((own, i) => {
      const row = Math.floor(i / x.cols);
      let most = own;
      for (let lag = 1; lag < count && lag <= positions.data[row]; lag++) {
        most = Math.max(most, x.data[i - lag * x.cols]);
      }
      return most;
    });
    return { y: { ...x, data } };
  },
  forward: (device, { x, positions }, { count }) => ({
    y: windowMax(device, x as Matrix, positions as Flat, count).y,
  }),
  backward: (device, { x, positions }, _outputs, { y }, { count }) => {
    const { places } = windowMax(device, x as Matrix, positions as Flat, count);
    return { x: windowMaxBackward(device, places, y as Matrix, positions as Flat, count) };
  },
};
