import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { matrixOf, noise } from "../../../kernels/gpu/spec.ts";
import { MATMUL, matmul, matmulBt } from "../../../kernels/matmul/matmul.ts";
import { tilesVariant } from "../../../kernels/matmul/registers/tiles.ts";

// Large enough for strips: two bands, the second of three rows of tiles; ten tiles in a row, eight and two a strip.
const M = 300, N = 150, K = 450;

for (const layout of ["texture", "buffer"] as const) {
  Deno.test(`products that are computed in strips equal double precision, ${layout}`, async () => {
    const device = await Device.open({ layout, variants: [{ operation: MATMUL, variant: tilesVariant }] });
    const a = matrixOf(M, K, noise(1)), b = matrixOf(K, N, noise(2));
    const bt = matrixOf(N, K, (row, col) => b.data[col * N + row]);
    const [left, right, turned] = [a, b, bt].map(({ data, rows, cols }) =>
      device.upload(Float32Array.from(data), rows, cols)
    );
    const products = await device.scope(() =>
      device.read(matmul(device, left, right), matmulBt(device, left, turned))
    );
    for (let i = 0; i < M; i++) {
      for (let j = 0; j < N; j++) {
        let sum = 0;
        for (let k = 0; k < K; k++) sum += a.data[i * K + k] * b.data[k * N + j];
        for (const product of products) {
          assert.ok(Math.abs(product[i * N + j] - sum) < 1e-4, `(${i}, ${j}): ${product[i * N + j]}, ${sum}`);
        }
      }
    }
    device.gpu.destroy();
  });
}
