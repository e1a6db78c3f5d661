import { type AttentionShape, qkvColumns } from "../attention.ts";
import { type BeamPaths, extendBeamPaths, pathAttention } from "./beam_paths.ts";
import { flatOf, type KernelSpec, matrixOf, noise, type Values } from "../../gpu/spec.ts";
import type { Flat, Matrix } from "../../gpu/tensor.ts";

interface Attributes {
  shape: AttentionShape;
  /** Tokens of each prompt. */
  prompts: number[];
  /** Beams a prompt after each step. */
  widths: number[];
}

const cols = ({ heads, kvHeads, headDim }: AttentionShape) => (heads + 2 * kvHeads) * headDim;

/** Beams a prompt, and the first row of the cache, of each step. */
function steps({ prompts, widths }: Attributes): { width: number; beams: number; firstRow: number }[] {
  let firstRow = 0;
  return widths.map((width) => {
    const beams = prompts.length * width;
    const step = { width, beams, firstRow };
    firstRow += beams;
    return step;
  });
}

function caseOf(name: string, attributes: Attributes) {
  const all = steps(attributes);
  const { shape, prompts } = attributes;
  const total = prompts.reduce((sum, length) => sum + length, 0);
  const rows = all.at(-1)!.firstRow + all.at(-1)!.beams;
  return {
    name,
    inputs: {
      prompts: matrixOf(total, cols(shape), noise(total)),
      cache: matrixOf(rows, cols(shape), noise(rows)),
      qkv: matrixOf(all.at(-1)!.beams, cols(shape), noise(7)),
      ...Object.fromEntries(all.map(({ beams }, step) => {
        const from = all[step - 1]?.width ?? 1;
        return [
          `parents${step}`,
          flatOf("u32", Array.from({ length: beams }, (_, i) => (5 * i + step) % from)),
        ];
      })),
    },
    attributes,
  };
}

/** Rows of the cache of each beam after the last step, by the parents from the last step back. */
function pathsOf(inputs: Readonly<Record<string, Values>>, attributes: Attributes): number[][] {
  const all = steps(attributes);
  let paths: number[][] = [];
  all.forEach(({ width, beams, firstRow }, step) => {
    const before = paths;
    paths = Array.from({ length: beams }, (_, beam) => {
      const parent = inputs[`parents${step}`].data[beam] +
        Math.floor(beam / width) * (all[step - 1]?.width ?? 0);
      return [...before[parent] ?? [], firstRow + beam];
    });
  });
  return paths;
}

export const spec: KernelSpec<Attributes> = {
  name: "pathAttention",
  cases: () => [
    caseOf("one beam, its first token", {
      shape: { heads: 1, kvHeads: 1, headDim: 8 },
      prompts: [1],
      widths: [1],
    }),
    caseOf("beams that part and get fewer", {
      shape: { heads: 4, kvHeads: 2, headDim: 24 },
      prompts: [3, 1, 6],
      widths: [5, 4, 2],
    }),
    caseOf("a prompt of several times 64 tokens", {
      shape: { heads: 2, kvHeads: 2, headDim: 12 },
      prompts: [130, 63, 64],
      widths: [2, 3],
    }),
    caseOf("widest heads", { shape: { heads: 2, kvHeads: 1, headDim: 128 }, prompts: [5], widths: [1, 2] }),
    caseOf("wide heads", { shape: { heads: 2, kvHeads: 1, headDim: 64 }, prompts: [9, 2], widths: [3, 3] }),
  ],
  reference: (inputs, attributes) => {
    const { shape, prompts, widths } = attributes;
    const { heads, kvHeads, headDim } = shape;
    const { k, v } = qkvColumns(shape);
    const { qkv } = inputs;
    const ends = prompts.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);
    const width = widths.at(-1)!;
    const o = new Float64Array(qkv.rows * heads * headDim);
    const positions = new Float64Array(qkv.rows);
    pathsOf(inputs, attributes).forEach((path, beam) => {
      const prompt = Math.floor(beam / width);
      positions[beam] = prompts[prompt] + widths.length - 1;
      const seen = [
        ...Array.from({ length: prompts[prompt] }, (_, i) => [inputs.prompts, ends[prompt] + i] as const),
        ...path.map((row) => [inputs.cache, row] as const),
      ];
      for (let head = 0; head < heads; head++) {
        const kv = Math.floor(head / (heads / kvHeads)) * headDim;
        const columns = Array.from({ length: headDim }, (_, c) => c);
        const weights = seen.map(([matrix, row]) =>
          Math.exp(
            columns.reduce(
              (sum, c) =>
                sum +
                qkv.data[beam * qkv.cols + head * headDim + c] * matrix.data[row * matrix.cols + k + kv + c],
              0,
            ) /
              Math.sqrt(headDim),
          )
        );
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const c of columns) {
          o[(beam * heads + head) * headDim + c] = seen.reduce(
            (sum, [matrix, row], i) => sum + weights[i] / total * matrix.data[row * matrix.cols + v + kv + c],
            0,
          );
        }
      }
    });
    return {
      o: { kind: "matrix", rows: qkv.rows, cols: heads * headDim, data: o },
      positions: { kind: "u32", rows: 1, cols: qkv.rows, data: positions },
    };
  },
  forward: (device, inputs, attributes) => {
    const { shape, prompts, widths } = attributes;
    const ends = prompts.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);
    const spans = device.createFlat(
      "u32",
      Uint32Array.from(prompts.flatMap((_, i) => [ends[i], ends[i + 1]])),
    );
    const depth = widths.length;
    let before: BeamPaths = { width: 1, depth, step: -1, spans, paths: device.createFlat("u32", depth) };
    let positions!: Flat;
    steps(attributes).forEach(({ width, beams, firstRow }, step) => {
      const after = { width, depth, step, spans, paths: device.createFlat("u32", beams * depth) };
      positions = device.createFlat("u32", beams);
      const { headDim } = shape;
      extendBeamPaths(device, before, inputs[`parents${step}`] as Flat, firstRow, {
        after,
        positions,
        headDim,
      });
      before = after;
    });
    const [qkv, own, cache] = [inputs.qkv, inputs.prompts, inputs.cache] as Matrix[];
    return { o: pathAttention(device, qkv, own, cache, before, shape), positions };
  },
};
