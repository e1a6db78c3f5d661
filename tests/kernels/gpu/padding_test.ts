import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import * as registry from "../../../kernels/registry.ts";
import type { KernelSpec } from "../../../kernels/gpu/spec.ts";
import { groupsOf, type Matrix } from "../../../kernels/gpu/tensor.ts";
import { uploadAll } from "../../kernel_check.ts";

const specs = Object.values(registry) as unknown as KernelSpec<unknown>[];

Deno.test("every kernel keeps the padding lanes of the matrices that it writes 0", async () => {
  const device = await Device.open();
  let checked = 0;
  for (const spec of specs) {
    for (const { inputs, attributes, name } of spec.cases()) {
      await device.scope(async () => {
        const tensors = uploadAll(device, inputs);
        const outputs = spec.forward(device, tensors, attributes);
        const ones = Object.fromEntries(
          Object.entries(spec.reference(inputs, attributes)).map((
            [key, values],
          ) => [key, { ...values, data: values.data.map(() => 1) }]),
        );
        const gradients = spec.backward?.(device, tensors, outputs, uploadAll(device, ones), attributes) ??
          {};
        for (const [key, tensor] of [...Object.entries(outputs), ...Object.entries(gradients)]) {
          if (tensor.kind === "matrix") {
            checked += await checkPadding(device, `${spec.name} ${name}, ${key}`, tensor);
          }
        }
      });
    }
  }
  assert.ok(checked > 1000, `only ${checked} padding lanes were seen: the cases need odd widths`);
});

/** Throws at the first lane that is not 0; returns how many there are. */
async function checkPadding(device: Device, what: string, matrix: Matrix): Promise<number> {
  const stride = groupsOf(matrix.cols) * 4;
  if (stride === matrix.cols) return 0;
  const [values] = await device.read({ ...matrix, cols: stride });
  values.forEach((value, i) => {
    if (i % stride < matrix.cols || value === 0) return;
    assert.fail(
      `${what} (${matrix.rows}, ${matrix.cols}) holds ${value} in the padding of row ${
        Math.floor(i / stride)
      }`,
    );
  });
  return matrix.rows * (stride - matrix.cols);
}
