import { ATTENTION, type AttentionPass } from "../../kernels/attention/attention.ts";
import { PATH_ATTENTION } from "../../kernels/attention/beams/beam_paths.ts";
import { add } from "../../kernels/elementwise/add.ts";
import { swiglu } from "../../kernels/gated/swiglu.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat, Tensor } from "../../kernels/gpu/tensor.ts";
import type { Variant } from "../../kernels/gpu/variants.ts";
import { noiseMatrix, type TunableOperation } from "../../kernels/gpu/workload.ts";
import { SOFTMAX } from "../../kernels/loss/cross_entropy.ts";
import { MATMUL, type MatmulShape } from "../../kernels/matmul/matmul.ts";
import { RESIDUAL_NORM } from "../../kernels/norm/residual/add_rms.ts";
import { NORM } from "../../kernels/norm/rms.ts";
import { LOG_SUM } from "../../kernels/reduce/log_sum_exp.ts";
import { TOP_K } from "../../kernels/trie/search/topk.ts";
import type { Arithmetic, KernelWork } from "./roofline.ts";

/** A kernel at a shape, to be timed. */
export interface KernelRow {
  /** Operation and shape. */
  name: string;
  /** Name of the variant; "" where there is one alone. */
  variant: string;
  /** What its arithmetic is in. */
  arithmetic: Arithmetic;
  /** What is counted of it. */
  work: KernelWork;
  /** Makes its operands, in the scope that is open -> one call, and the flats to destroy afterwards. */
  prepare(device: Device): { call: () => Tensor; flats: Flat[] };
}

/** Keys that the last query of a sequence of the attention workload sees. */
const SEQUENCE = 64;

/** Every variant that the device can run of operations that have several, and the kernels that move bytes. `side` is that of the largest product. */
export function kernelRows(device: Device, side: number): KernelRow[] {
  const width = device.dtype === "f16" ? 2 : 4;
  const tokens = Math.min(2048, 4 * side);
  const products: MatmulShape[] = [
    { form: "ab", rows: side, cols: side, inner: side },
    { form: "abt", rows: side, cols: side, inner: side },
    { form: "atb", rows: side, cols: side, inner: side },
    { form: "ab", rows: tokens, cols: 256, inner: 256 },
    { form: "ab", rows: tokens, cols: 128, inner: 128 },
  ];
  const passes = (["forward", "backward"] as const).map((pass): AttentionPass => (
    { pass, rows: tokens, heads: 8, kvHeads: 2, headDim: 64 }
  ));
  const beams = { beams: 3200, width: 50, keys: SEQUENCE, heads: 8, kvHeads: 2, headDim: 64 };
  const [rows, cols] = [4 * side, 1024];
  const matrix = rows * cols * width;
  const moved = (name: string, matrices: number, flops: number, call: KernelRow["prepare"]): KernelRow => ({
    name: `${name} ${rows}x${cols}`,
    variant: "",
    arithmetic: "f32",
    work: { flops: flops * rows * cols, bytes: matrices * matrix },
    prepare: call,
  });
  return [
    ...products.flatMap((shape) => {
      const { rows: m, cols: n, inner: k } = shape;
      return variantRows(device, MATMUL, shape, {
        flops: 2 * m * n * k,
        bytes: width * (m * k + k * n + m * n),
      });
    }),
    ...passes.flatMap((shape) => {
      const { pass, rows, heads, kvHeads, headDim } = shape;
      const pairs = rows * (SEQUENCE + 1) / 2; // a query sees the keys up to its own
      const qkv = rows * (heads + 2 * kvHeads) * headDim;
      const o = rows * heads * headDim;
      return variantRows(device, ATTENTION, shape, {
        flops: (pass === "forward" ? 4 : 10) * pairs * heads * headDim,
        bytes: width * (pass === "forward" ? qkv + o : 2 * qkv + 2 * o),
      });
    }),
    // Queries and results, and the keys and values of each beam's own token and of each prompt.
    ...variantRows(device, PATH_ATTENTION, beams, {
      flops: 4 * beams.beams * beams.keys * beams.heads * beams.headDim,
      bytes: 2 * width * beams.headDim *
        (beams.beams * (beams.heads + beams.kvHeads) +
          beams.beams / beams.width * (beams.keys - 1) * beams.kvHeads),
    }),
    moved("add", 3, 1, (device) => {
      const [x, y] = [noiseMatrix(device, rows, cols), noiseMatrix(device, rows, cols)];
      return { call: () => add(device, x, y), flats: [] };
    }),
    ...variantRows(device, NORM, { rows, cols }, { flops: 4 * rows * cols, bytes: 2 * matrix }),
    // The sum is float32, twice a number of float16.
    ...variantRows(device, RESIDUAL_NORM, { rows, cols }, {
      flops: 5 * rows * cols,
      bytes: 3 * matrix + 4 * rows * cols,
    }),
    // A difference, an exponential and a sum of each number.
    ...variantRows(device, LOG_SUM, { rows, cols }, { flops: 3 * rows * cols, bytes: matrix }),
    ...variantRows(device, SOFTMAX, { rows, cols }, { flops: 4 * rows * cols, bytes: matrix }),
    // A sum and a comparison of each candidate, whose score, leaf mark and token are read.
    ...variantRows(device, TOP_K, { prompts: 64, width: 50, live: 50, capacity: 64 }, {
      flops: 2 * 64 * 50 * 64,
      bytes: 64 * 50 * 64 * (width + 8),
    }),
    // Half of its columns are results.
    moved("swiglu of", 1.5, 3, (device) => {
      const x = noiseMatrix(device, rows, cols);
      return { call: () => swiglu(device, x), flats: [] };
    }),
  ];
}

function variantRows<S>(
  device: Device,
  operation: TunableOperation<Variant, S>,
  shape: S,
  work: KernelWork,
) {
  return device.variants.candidates(operation).map(({ name: variant, needs = [] }): KernelRow => ({
    name: `${operation.name} ${operation.className(shape)}`,
    variant,
    arithmetic: needs.includes("shader-f16") ? "f16" : "f32",
    work,
    prepare(device) {
      device.variants.pin(operation, variant);
      const { call, flats } = operation.workload(device, shape);
      return { call, flats };
    },
  }));
}
