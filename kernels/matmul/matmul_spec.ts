import type { Device } from "../gpu/device.ts";
import { type Activation, ACTIVATIONS } from "./epilogue.ts";
import { matmul, matmulAt, matmulBt, type MatmulOptions } from "./matmul.ts";
import { type KernelCase, type KernelSpec, matrixOf, type Named, noise, type Values } from "../gpu/spec.ts";
import { type Flat, groupsOf, type Matrix, type Tensor } from "../gpu/tensor.ts";

interface Attributes {
  activation: Activation;
}

const SHAPES = [[1, 1, 1], [5, 7, 3], [16, 8, 4], [33, 20, 17], [64, 96, 40]];

function activate(name: Activation, x: number): number {
  if (name === "relu") return Math.max(x, 0);
  if (name === "silu") return x / (1 + Math.exp(-x));
  if (name === "gelu") return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  return x;
}

function product(
  rows: number,
  cols: number,
  inner: number,
  term: (i: number, j: number, k: number) => number,
) {
  const data = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      for (let k = 0; k < inner; k++) data[i * cols + j] += term(i, j, k);
    }
  }
  return { kind: "matrix" as const, rows, cols, data };
}

function withEpilogue(c: Values, bias: Values, activation: Activation): Values {
  return { ...c, data: c.data.map((v, i) => activate(activation, v + bias.data[i % bias.data.length])) };
}

function casesOf(shapes: (m: number, n: number, k: number) => [number, number][], bias: boolean) {
  return (): KernelCase<Attributes>[] =>
    SHAPES.map(([m, n, k], i) => {
      const next = noise(m * n + k);
      const [a, b] = shapes(m, n, k);
      return {
        name: `M ${m}, N ${n}, K ${k}`,
        inputs: {
          a: matrixOf(...a, next),
          b: matrixOf(...b, next),
          // A bias for every row is an addend.
          ...(bias ? { bias: matrixOf(i === 3 ? m : 1, n, next) } : {}),
        },
        attributes: { activation: ACTIVATIONS[i % 4] },
      };
    });
}

export const matmulSpec: KernelSpec<Attributes> = {
  name: "matmul",
  cases: casesOf((m, n, k) => [[m, k], [k, n]], true),
  reference: ({ a, b, bias }, { activation }) => ({
    c: withEpilogue(
      product(a.rows, b.cols, a.cols, (i, j, k) => a.data[i * a.cols + k] * b.data[k * b.cols + j]),
      bias,
      activation,
    ),
  }),
  forward: (device, { a, b, bias }, { activation }) => ({
    c: matmul(device, a as Matrix, b as Matrix, { ...addedOf(bias as Matrix), activation }),
  }),
};

export const matmulBtSpec: KernelSpec<Attributes> = {
  name: "matmulBt",
  cases: casesOf((m, n, k) => [[m, k], [n, k]], true),
  reference: ({ a, b, bias }, { activation }) => ({
    c: withEpilogue(
      product(a.rows, b.rows, a.cols, (i, j, k) => a.data[i * a.cols + k] * b.data[j * b.cols + k]),
      bias,
      activation,
    ),
  }),
  forward: (device, { a, b, bias }, { activation }) => ({
    c: matmulBt(device, a as Matrix, b as Matrix, { ...addedOf(bias as Matrix), activation }),
  }),
};

function addedOf(matrix: Matrix): MatmulOptions {
  return matrix.rows === 1 ? { bias: matrix } : { addend: matrix };
}

export const matmulAtSpec: KernelSpec<Attributes> = {
  name: "matmulAt",
  cases: casesOf((m, n, k) => [[k, m], [k, n]], false),
  reference: ({ a, b }) => {
    const c = product(a.cols, b.cols, a.rows, (i, j, k) => a.data[k * a.cols + i] * b.data[k * b.cols + j]);
    return { c: padded(c), twice: { ...padded(c), data: padded(c).data.map((v) => 2 * v) } };
  },
  forward: (device, { a, b }) => {
    const length = (a as Matrix).cols * groupsOf((b as Matrix).cols) * 4;
    const once = run(device, { a, b }, length, 1);
    return { c: once, twice: run(device, { a, b }, length, 2) };
  },
};

function run(device: Device, { a, b }: Named<Tensor>, length: number, times: number): Flat {
  const c = device.createFlat("f32", length);
  for (let i = 0; i < times; i++) matmulAt(device, a as Matrix, b as Matrix, c, i > 0);
  return c;
}

function padded(c: Values): Values {
  const stride = groupsOf(c.cols) * 4;
  const data = new Float64Array(c.rows * stride);
  for (let i = 0; i < c.rows; i++) data.set(c.data.subarray(i * c.cols, (i + 1) * c.cols), i * stride);
  return { kind: "f32", rows: 1, cols: data.length, data };
}
