import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { orthonormalize, principalAxes } from "../../../sid/kmeans/principal_axes.ts";
import { allocatedAxes, procrustes } from "../../../sid/kmeans/rotation.ts";

const random = new PhiloxStream(9, "rotation");
const normals = (count: number) => Float64Array.from({ length: count }, () => random.normal());

/** Axis-aligned normal vectors of variances 16, 9, 4, 1. */
const DEVIATIONS = [2, 4, 1, 3];
const points = {
  data: Float32Array.from({ length: 2000 * 4 }, (_, i) => 5 + DEVIATIONS[i % 4] * random.normal()),
  rows: 2000,
  dim: 4,
};

Deno.test("principalAxes() finds mean, axes and variances of normal vectors", async () => {
  const { mean, axes, variances } = await principalAxes(await sharedDevice(), points, 3, 1);
  mean.forEach((value) => assert.ok(Math.abs(value - 5) < 0.3, `mean ${value}`));
  [16, 9, 4].forEach((variance, r) => assert.ok(Math.abs(variances[r] / variance - 1) < 0.1, `${variances}`));
  [1, 3, 0].forEach((d, r) => assert.ok(Math.abs(axes[d * 3 + r]) > 0.99, `axis ${r}`));
});

Deno.test("allocatedAxes() gives parts variances of about equal product: largest with least", async () => {
  const { axes } = await allocatedAxes(await sharedDevice(), points, 4, 2, 1);
  const along = [0, 1, 2, 3].map((column) =>
    DEVIATIONS.findIndex((_, d) => Math.abs(axes[d * 4 + column]) > 0.9)
  );
  assert.deepEqual(along.map((d) => DEVIATIONS[d]), [4, 1, 3, 2]);
});

Deno.test("procrustes() finds the rotation that turned the vectors", () => {
  const [rows, dim, width] = [50, 5, 3];
  const truth = normals(dim * width);
  orthonormalize(truth, dim, width);
  const turned = normals(rows * width);
  const m = new Float64Array(dim * width); // sum x yᵀ with x = R y
  for (let row = 0; row < rows; row++) {
    const y = turned.subarray(row * width, (row + 1) * width);
    for (let d = 0; d < dim; d++) {
      const x = y.reduce((sum, value, i) => sum + truth[d * width + i] * value, 0);
      y.forEach((value, i) => m[d * width + i] += x * value);
    }
  }
  const start = {
    axes: Float32Array.from({ length: dim * width }, (_, i) => Number(i % (width + 1) === 0)),
    dim,
    width,
  };
  procrustes(m, start).axes.forEach((value, i) => assert.ok(Math.abs(value - truth[i]) < 1e-4));
});
