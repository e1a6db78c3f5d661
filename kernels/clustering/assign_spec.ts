import { kmeansAssign } from "./assign.ts";
import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";

/** Points by centres: odd sizes, outliers, and whole numbers, among which many distances are equal. */
const SHAPES = [[1, 1, 1], [7, 3, 5], [33, 6, 40], [70, 19, 6], [50, 9, 130]];

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
