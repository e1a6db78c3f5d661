import { kmeansAssign, kmeansMean, kmeansSum } from "./kmeans.ts";
import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";

/** Points by centres: odd sizes, outliers, and whole numbers, among which many distances are equal. */
const SHAPES = [[1, 1, 1], [7, 3, 5], [33, 6, 40], [70, 19, 6]];

export const kmeansAssignSpec: KernelSpec<null> = {
  name: "kmeansAssign",
  cases: () =>
    SHAPES.flatMap(([points, centres, width]) =>
      [false, true].map((whole) => {
        const next = noise(points + width);
        const value = () => whole ? Math.round(next()) : next() + 100;
        return {
          name: `N ${points}, K ${centres}, D ${width}${whole ? ", whole numbers" : ""}`,
          inputs: { points: matrixOf(points, width, value), centres: matrixOf(centres, width, value) },
          attributes: null,
        };
      })
    ),
  reference: ({ points, centres }) => {
    const labels: number[] = [];
    const distances: number[] = [];
    for (let n = 0; n < points.rows; n++) {
      const squared = Array.from({ length: centres.rows }, (_, k) => {
        let sum = 0;
        for (let d = 0; d < points.cols; d++) {
          sum += (points.data[n * points.cols + d] - centres.data[k * points.cols + d]) ** 2;
        }
        return sum;
      });
      distances.push(Math.min(...squared));
      labels.push(squared.indexOf(distances[n]));
    }
    return { labels: flatOf("u32", labels), distances: flatOf("f32", distances) };
  },
  forward: (device, inputs) => {
    const { points, centres } = inputs as Record<string, Matrix>;
    const labels = device.createFlat("u32", points.rows);
    const distances = device.createFlat("f32", points.rows);
    kmeansAssign(device, points, centres, labels, distances);
    return { labels, distances };
  },
};

interface UpdateAttributes {
  labels: number[];
}

export const kmeansUpdateSpec: KernelSpec<UpdateAttributes> = {
  name: "kmeansUpdate",
  cases: () =>
    SHAPES.map(([points, centres, width]) => {
      const next = noise(points * width);
      return {
        name: `N ${points}, K ${centres}, D ${width}`,
        inputs: {
          points: matrixOf(points, width, () => next() + 100),
          more: matrixOf(points, width, () => next() + 100),
          centres: matrixOf(centres, width, () => next() + 100),
        },
        // The last cluster is empty, except where it is the only one.
        attributes: { labels: Array.from({ length: points }, (_, n) => n * n % Math.max(1, centres - 1)) },
      };
    }),
  reference: ({ points, more, centres }, { labels }) => {
    const data = centres.data.slice();
    const width = centres.cols;
    for (let k = 0; k < centres.rows; k++) {
      const members = labels.flatMap((label, n) => label === k ? [n] : []);
      for (let d = 0; d < width && members.length > 0; d++) {
        const sum = members.reduce((s, n) => s + points.data[n * width + d] + more.data[n * width + d], 0);
        data[k * width + d] = sum / (2 * members.length);
      }
    }
    return { means: { ...centres, data } };
  },
  forward: (device, inputs, { labels }) => {
    const { points, more, centres } = inputs as Record<string, Matrix>;
    const clusters = Array.from(
      { length: centres.rows },
      (_, k) => labels.flatMap((l, n) => l === k ? [n] : []),
    );
    const ends = clusters.map((_, k) => clusters.slice(0, k + 1).flat().length);
    const offsets = device.createFlat("u32", Uint32Array.of(0, ...ends));
    const members = device.createFlat("u32", Uint32Array.from(clusters.flat()));
    const counts = device.createFlat("u32", Uint32Array.from(clusters, (cluster) => 2 * cluster.length));
    const drift = device.createFlat("f32", centres.rows * groupsOf(centres.cols) * 4);
    kmeansSum(device, points, centres, offsets, members, drift, false);
    kmeansSum(device, more, centres, offsets, members, drift, true);
    return { means: kmeansMean(device, centres, drift, counts) };
  },
};
