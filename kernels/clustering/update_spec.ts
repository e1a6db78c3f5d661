import { flatOf, type KernelSpec, matrixOf, type Named, noise, type Values } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { gatherRows } from "../rows/gather.ts";
import { kmeansBlockRows, KmeansRounds } from "./update.ts";

interface RoundAttributes {
  rounds: number;
  iterations: number;
  tolerance: number;
  /** Rows of a block but the last. */
  blockRows: number;
}

/** Points, centres, width, rows of a block. */
const SHAPES = [[1, 1, 1, 8], [7, 3, 5, 8], [300, 6, 40, 256], [700, 19, 6, 280], [90, 9, 130, 40]];

/** One state of the rounds: what a round reads and writes. */
interface State {
  centres: Float64Array;
  labels: number[];
  distances: number[];
  used: number[];
  inertias: number[];
  done: boolean;
  iteration: number;
}

/** Points with outliers, one far from the origin and centres among which some start out of reach. */
export const kmeansRoundsSpec: KernelSpec<RoundAttributes> = {
  name: "kmeansRounds",
  cases: () =>
    SHAPES.flatMap(([points, centres, width, blockRows]) =>
      // One round; several; an end by the number of updates; an end by the tolerance, and rounds after it.
      [[1, 9, 0], [3, 9, 0], [4, 2, 0], [5, 9, 0.9]].map(([rounds, iterations, tolerance]) => {
        const next = noise(points + width + rounds);
        return {
          name:
            `N ${points}, K ${centres}, D ${width}, ${rounds} rounds, ${iterations} updates, tolerance ${tolerance}`,
          inputs: {
            points: matrixOf(points, width, () => next() + 100),
            centres: matrixOf(centres, width, (row) => next() + (row % 3 === 2 ? 900 : 100)),
          },
          attributes: { rounds, iterations, tolerance, blockRows: kmeansBlockRows(blockRows, centres) },
        };
      })
    ),
  reference: ({ points, centres }, { rounds, iterations, tolerance }) => {
    const state: State = {
      centres: centres.data.slice(),
      labels: [],
      distances: [],
      used: [],
      inertias: Array.from({ length: iterations + 1 }, () => 0),
      done: false,
      iteration: 0,
    };
    for (let i = 0; i < rounds && !state.done; i++) round(state, points, centres.rows, iterations, tolerance);
    return {
      centres: { ...centres, data: state.centres },
      labels: flatOf("u32", state.labels),
      distances: flatOf("f32", state.distances),
      inertias: flatOf("f32", state.inertias),
      control: flatOf("u32", [Number(state.done), state.iteration]),
    };
  },
  forward: (device, inputs, { rounds, iterations, tolerance, blockRows }) => {
    const { points, centres } = inputs as Named<Matrix>;
    const blocks = Array.from({ length: Math.ceil(points.rows / blockRows) }, (_, block) => {
      const first = block * blockRows;
      const rows = Math.min(blockRows, points.rows - first);
      const index = device.createFlat("u32", Uint32Array.from({ length: rows }, (_, row) => first + row));
      return gatherRows(device, points, index, rows);
    });
    const end = { iterations, tolerance };
    const state = new KmeansRounds(device, { blocks, rows: points.rows }, centres.rows, blockRows, end);
    let moved = centres;
    for (let i = 0; i < rounds; i++) moved = state.round(moved);
    const { labels, distances, inertias, control } = state;
    return { centres: moved, labels, distances, inertias, control };
  },
  tolerance: { forward: 1e-4 }, // sums of many squares; an update of a centre far away
};

function round(state: State, points: Values, clusters: number, iterations: number, tolerance: number): void {
  const width = points.cols;
  const squared = (n: number, k: number) => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += (points.data[n * width + d] - state.centres[k * width + d]) ** 2;
    return sum;
  };
  state.labels = [];
  state.distances = [];
  for (let n = 0; n < points.rows; n++) {
    const all = Array.from({ length: clusters }, (_, k) => squared(n, k));
    state.distances.push(Math.min(...all));
    state.labels.push(all.indexOf(state.distances[n]));
  }
  const inertia = state.distances.reduce((a, b) => a + b, 0);
  const before = state.inertias[state.iteration - 1];
  state.inertias[state.iteration] = inertia;
  const isSame = state.labels.every((label, n) => label === state.used[n]);
  const isFlat = state.iteration > 0 && (isSame || before - inertia < tolerance * before);
  state.done = isFlat || state.iteration === iterations;
  if (state.done) return;
  state.iteration++;
  state.used = state.labels.slice();
  const size = (k: number) => state.used.filter((label) => label === k).length;
  for (let k = 0; k < clusters; k++) {
    if (size(k) > 0) continue;
    let best = -1;
    state.distances.forEach((distance, n) => {
      if (distance > Math.max(0, best < 0 ? 0 : state.distances[best]) && size(state.used[n]) > 1) best = n;
    });
    if (best >= 0) state.used[best] = k;
  }
  for (let k = 0; k < clusters; k++) {
    const members = state.used.flatMap((label, n) => label === k ? [n] : []);
    for (let d = 0; d < width && members.length > 0; d++) {
      const sum = members.reduce((all, n) => all + points.data[n * width + d], 0);
      state.centres[k * width + d] = sum / members.length;
    }
  }
}
