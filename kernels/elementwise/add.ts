import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./add.wgsl" with { type: "text" };

const label = "kernels/elementwise/add.wgsl";
const addKernel: Kernel = { label, code, entry: "add", inputs: 2, outputs: 1, flats: [], workgroup: [16, 8] };
const scaleKernel: Kernel = { ...addKernel, entry: "scale", inputs: 1 };

/** x (N, C) + y (N, C) -> (N, C), float32 where either is. */
export function add(device: Device, x: Matrix, y: Matrix): Matrix {
  expectShape("add() y", y, x.rows, x.cols);
  return elementwise(device, addKernel, [x, y], 1);
}

/** x (N, C) * factor -> (N, C). `factor` is a setting: it must not change from step to step. */
export function scale(device: Device, x: Matrix, factor: number): Matrix {
  return elementwise(device, scaleKernel, [x], factor);
}

function elementwise(device: Device, kernel: Kernel, inputs: Matrix[], factor: number): Matrix {
  const { rows, cols } = inputs[0];
  const wide = inputs.some(({ dtype }) => dtype === "f32");
  const out = device.matrix(rows, cols, wide ? "f32" : device.dtype);
  const groups = groupsOf(cols);
  device.run(kernel, {
    inputs,
    outputs: [out],
    u32: [rows, groups],
    f32: [factor],
    invocations: [groups, rows],
  });
  return out;
}

const SHAPES = [[1, 1], [9, 7], [0, 4], [17, 68]];

export const addSpec: KernelSpec = {
  name: "add",
  cases: () =>
    SHAPES.map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: matrixOf(rows, cols, noise(rows)), y: matrixOf(rows, cols, noise(cols)) },
      attributes: undefined,
    })),
  reference: ({ x, y }) => ({ sum: { ...x, data: x.data.map((value, i) => value + y.data[i]) } }),
  forward: (device, { x, y }) => ({ sum: add(device, x as Matrix, y as Matrix) }),
  backward: (_device, _inputs, _outputs, { sum }) => ({ x: sum, y: sum }),
};

export const scaleSpec: KernelSpec<{ factor: number }> = {
  name: "scale",
  cases: () =>
    SHAPES.map(([rows, cols], i) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: matrixOf(rows, cols, noise(rows)) },
      attributes: { factor: [0.5, -3, 1, 0][i] },
    })),
  reference: ({ x }, { factor }) => ({ y: { ...x, data: x.data.map((value) => value * factor) } }),
  forward: (device, { x }, { factor }) => ({ y: scale(device, x as Matrix, factor) }),
  backward: (device, _inputs, _outputs, { y }, { factor }) => ({ x: scale(device, y as Matrix, factor) }),
};
