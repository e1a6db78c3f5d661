import { flatOf, type KernelSpec, matrixOf, type Named, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { gatherRows } from "../rows/gather.ts";
import { type TransportEnd, TransportRounds } from "./transport.ts";

interface TransportAttributes extends TransportEnd {
  rounds: number;
  /** Points of a block but the last. */
  blockRows: number;
}

/** Capacities that are not all alike: the last cluster takes what is left. */
const capacitiesOf = (points: number, clusters: number) =>
  Array.from(
    { length: clusters },
    (_, k) => k === clusters - 1 ? points - k * (points / clusters) * 0.9 : points / clusters * 0.9,
  );

/**
 * Costs with outliers and a cluster so dear to all that its mass is below what float32 holds at first; where K is even,
 * points to whom all clusters cost the same.
 */
export const transportRoundsSpec: KernelSpec<TransportAttributes> = {
  name: "transportRounds",
  cases: () =>
    [
      // One round; several; an end by the tolerance, and rounds after it.
      [1, 1, 1, 1, 1, 0],
      [9, 3, 9, 1, 2, 0],
      [300, 6, 256, 0.5, 40, 0.05],
      [1100, 37, 520, 0.1, 3, 0],
      [70, 130, 16, 0.02, 2, 0],
    ].map(([points, clusters, blockRows, epsilon, rounds, tolerance]) => {
      const next = noise(points + clusters);
      return {
        name: `N ${points}, K ${clusters}, epsilon ${epsilon}, ${rounds} rounds, tolerance ${tolerance}`,
        inputs: {
          costs: matrixOf(points, clusters, (i, k) =>
            clusters % 2 === 0 && i % 50 === 8 ? 0 : next() + (k === 1 ? 30 : 0)),
        },
        attributes: { blockRows, epsilon, rounds, tolerance },
      };
    }),
  reference: ({ costs }, { epsilon, rounds, tolerance }) => {
    const { rows, cols, data } = costs;
    const capacities = capacitiesOf(rows, cols);
    const scalings = new Array(cols).fill(0);
    const logSum = (terms: number[]) => {
      const top = Math.max(...terms);
      return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
    };
    let done = false;
    for (let round = 0; round < rounds && !done; round++) {
      const logShares = Array.from({ length: rows }, (_, i) => {
        const exponents = scalings.map((scaling, k) => scaling - data[i * cols + k] / epsilon);
        const total = logSum(exponents);
        return exponents.map((exponent) => exponent - total);
      });
      const logMasses = scalings.map((_, k) => logSum(logShares.map((shares) => shares[k])));
      done = logMasses.every((mass, k) => Math.abs(Math.exp(mass) / capacities[k] - 1) <= tolerance);
      if (!done) logMasses.forEach((mass, k) => scalings[k] += Math.log(capacities[k]) - mass);
    }
    return { scalings: flatOf("f32", scalings), done: flatOf("u32", [Number(done)]) };
  },
  forward: (device, inputs, { blockRows, rounds, ...end }) => {
    const { costs } = inputs as Named<Matrix>;
    const blocks = Array.from({ length: Math.ceil(costs.rows / blockRows) }, (_, block) => {
      const first = block * blockRows;
      const rows = Math.min(blockRows, costs.rows - first);
      const index = device.createFlat("u32", Uint32Array.from({ length: rows }, (_, row) => first + row));
      return gatherRows(device, costs, index, rows);
    });
    const state = new TransportRounds(
      device,
      blocks.map(({ rows }) => rows),
      capacitiesOf(costs.rows, costs.cols),
      end,
    );
    for (let round = 0; round < rounds; round++) state.round(blocks);
    return { scalings: state.scalings, done: state.done };
  },
  tolerance: { forward: 1e-4 }, // exponents in the thousands
};
