import type { Row } from "./report.ts";
import { raggedLengths, stepWorkload } from "./workload.ts";

const MATMULS = [[1024, 1024, 1024], [2048, 256, 256], [2048, 1024, 256], [2048, 256, 1024], [
  2048,
  1200,
  256,
]];
const HEADS = { heads: 4, headDim: 64 };
const ATTENTIONS = [
  { name: "attention B16 H4 T64 D64", lengths: Array.from({ length: 16 }, () => 64) },
  { name: "attention packed, 2048 tokens of mean 20, H4 D64", lengths: raggedLengths(2048) },
];

/** Every line of the benchmark. */
export const ROWS: readonly Row[] = [
  ...MATMULS.map(([m, k, n]): Row => ({
    group: "matmul",
    name: `matmul ${m}x${k} ${k}x${n}`,
    workload: { kind: "matmul", m, k, n },
  })),
  ...ATTENTIONS.flatMap(({ name, lengths }) =>
    [false, true].map((backward): Row => ({
      group: "attention",
      name: `${name}, ${backward ? "forward + backward" : "forward"}`,
      workload: { kind: "attention", lengths, ...HEADS, backward },
    }))
  ),
  ...[128, 256].map((width): Row => ({
    group: "step",
    name: `training step, 4 layers, width ${width}, 2048 tokens`,
    workload: stepWorkload(width),
  })),
];
