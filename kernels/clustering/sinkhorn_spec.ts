import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { sinkhornLabels } from "./sinkhorn.ts";

interface Attributes {
  epsilon: number;
  iterations: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "sinkhornLabels",
  cases: () =>
    [[1, 3, 2, 0.1], [30, 7, 5, 0.003], [40, 16, 9, 0.01], [5, 33, 4, 0.05]].map(
      ([rows, cols, dim, epsilon]) => {
        const next = noise(rows + cols);
        return {
          name: `N ${rows}, K ${cols}, epsilon ${epsilon}`,
          inputs: { points: matrixOf(rows, dim, next), codebook: matrixOf(cols, dim, next) },
          attributes: { epsilon, iterations: 50 },
        };
      },
    ),
  reference: ({ points, codebook }, { epsilon, iterations }) => {
    const [rows, cols] = [points.rows, codebook.rows];
    const distances = Array.from({ length: rows }, (_, i) =>
      Array.from({ length: cols }, (_, j) => {
        let sum = 0;
        for (let d = 0; d < points.cols; d++) {
          sum += (points.data[i * points.cols + d] - codebook.data[j * points.cols + d]) ** 2;
        }
        return sum;
      }));
    const [least, most] = [Math.min(...distances.flat()), Math.max(...distances.flat())];
    const middle = (least + most) / 2;
    const plan = distances.map((row) =>
      row.map((distance) => Math.exp(-(distance - middle) / (most - middle + 1e-5) / epsilon))
    );
    for (let iteration = 0; iteration < iterations; iteration++) {
      for (const row of plan) {
        const sum = row.reduce((a, b) => a + b);
        row.forEach((mass, j) => row[j] = mass / sum / rows);
      }
      for (let j = 0; j < cols; j++) {
        const sum = plan.reduce((total, row) => total + row[j], 0);
        for (const row of plan) row[j] /= sum * cols;
      }
    }
    const labels = plan.map((row) => row.indexOf(Math.max(...row)));
    return {
      labels: flatOf("u32", labels),
      distances: flatOf("f32", labels.map((label, i) => distances[i][label])),
    };
  },
  forward: (device, inputs, attributes) => {
    const { points, codebook } = inputs as Record<string, Matrix>;
    const f32 = (length: number) => device.createFlat("f32", length);
    const labels = device.createFlat("u32", points.rows);
    const distances = f32(points.rows);
    const scratch = { extremes: f32(2), rows: f32(points.rows), cols: f32(codebook.rows) };
    sinkhornLabels(device, points, codebook, labels, distances, scratch, attributes);
    return { labels, distances };
  },
};
