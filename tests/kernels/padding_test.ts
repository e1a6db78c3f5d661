import assert from "node:assert/strict";
import { Device } from "../../kernels/device.ts";
import * as registry from "../../kernels/registry.ts";
import type { KernelSpec, Named, Values } from "../../kernels/spec.ts";
import { freshId, groupsOf, type Matrix, type Tensor } from "../../kernels/tensor.ts";

Deno.test("kernels keep the padding lanes of their results 0", async () => {
  const device = await Device.open({ layout: "buffer" });
  let checked = 0;
  for (const spec of Object.values(registry) as unknown as KernelSpec[]) {
    for (const { name, inputs, attributes } of spec.cases()) {
      await device.scope(async () => {
        const tensors = uploadAll(device, inputs);
        const results = spec.forward(device, tensors, attributes);
        checked += await checkPadding(device, `${spec.name} ${name}`, results);
        if (!spec.backward) return;
        // Ones everywhere but in the padding lanes: the results themselves may have been 0.
        const ones = Object.fromEntries(
          Object.entries(results).map(([key, tensor]) => [key, onesLike(tensor)]),
        );
        const gradients = spec.backward(device, tensors, results, uploadAll(device, ones), attributes);
        checked += await checkPadding(device, `${spec.name} ${name} backward`, gradients);
      });
    }
  }
  assert.ok(checked > 10, `only ${checked} results have padding lanes`);
});

function uploadAll(device: Device, values: Named<Values>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(values).map(([name, { kind, rows, cols, data }]) => [
      name,
      kind === "matrix"
        ? device.upload(Float32Array.from(data), rows, cols)
        : device.createFlat(kind, kind === "u32" ? Uint32Array.from(data) : Float32Array.from(data)),
    ]),
  );
}

function onesLike(tensor: Tensor): Values {
  const [rows, cols] = tensor.kind === "matrix" ? [tensor.rows, tensor.cols] : [1, tensor.length];
  const kind = tensor.kind === "matrix" ? "matrix" : tensor.dtype;
  return { kind, rows, cols, data: new Float64Array(rows * cols).fill(1) };
}

/** Number of matrices that have padding lanes. */
async function checkPadding(device: Device, what: string, results: Named<Tensor>): Promise<number> {
  const padded = Object.entries(results).filter(([, tensor]) =>
    tensor.kind === "matrix" && tensor.rows > 0 && tensor.cols % 4 !== 0
  ) as [string, Matrix][];
  for (const [name, matrix] of padded) {
    const { rows, cols, storage } = matrix;
    if (storage.layout !== "buffer") throw new Error("expected the buffer layout");
    const stride = groupsOf(cols) * 4;
    const [raw] = await device.read({
      kind: "flat",
      id: freshId(),
      dtype: "f32",
      length: rows * stride,
      buffer: storage.buffer,
      offset: storage.offset,
    });
    raw.forEach((value, i) =>
      assert.ok(
        i % stride < cols || value === 0,
        `${what} ${name}: row ${Math.floor(i / stride)}, lane ${i % stride} is ${value}`,
      )
    );
  }
  return padded.length;
}
