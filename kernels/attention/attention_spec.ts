import { attention, attentionBackward, type AttentionShape, qkvColumns } from "./attention.ts";
import { flatOf, type KernelCase, type KernelSpec, matrixOf, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";

/** A packed layout: sequences one after the other, each a prompt and the branches that share it. */
interface PackedSequence {
  prompt: number;
  branches: number[];
}

/** Intervals of a packed layout, padded with tokens that see nothing. */
function packedIntervals(sequences: PackedSequence[], padding: number) {
  const keys: number[] = [];
  const viewers: number[] = [];
  let start = 0;
  for (const { prompt, branches } of sequences) {
    const end = start + prompt + branches.reduce((a, b) => a + b, 0);
    for (let i = start; i < start + prompt; i++) {
      keys.push(start, i + 1, 0, 0);
      viewers.push(i, end);
    }
    let branch = start + prompt;
    for (const length of branches) {
      for (let i = branch; i < branch + length; i++) {
        keys.push(start, start + prompt, branch, i + 1);
        viewers.push(i, branch + length);
      }
      branch += length;
    }
    start = end;
  }
  for (let i = 0; i < padding; i++) {
    keys.push(0, 0, 0, 0);
    viewers.push(0, 0);
  }
  return { keys, viewers, tokens: start + padding };
}

function caseOf(name: string, shape: AttentionShape, sequences: PackedSequence[], padding: number) {
  const { keys, viewers, tokens } = packedIntervals(sequences, padding);
  const next = noise(tokens * shape.headDim);
  return {
    name,
    inputs: {
      qkv: matrixOf(tokens, (shape.heads + 2 * shape.kvHeads) * shape.headDim, next),
      intervals: flatOf("u32", keys),
      viewers: flatOf("u32", viewers),
    },
    attributes: shape,
  };
}

function reference({ qkv, intervals }: Readonly<Record<string, Values>>, shape: AttentionShape) {
  const { heads, kvHeads, headDim } = shape;
  const columns = qkvColumns(shape);
  const at = (row: number, col: number) => qkv.data[row * qkv.cols + col];
  const o = new Float64Array(qkv.rows * heads * headDim);
  for (let i = 0; i < qkv.rows; i++) {
    const [s0, e0, s1, e1] = intervals.data.subarray(4 * i, 4 * i + 4);
    const visible: number[] = [];
    for (let j = s0; j < e0; j++) visible.push(j);
    for (let j = s1; j < e1; j++) visible.push(j);
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor(h / (heads / kvHeads)) * headDim;
      const scores = visible.map((j) => {
        let dot = 0;
        for (let c = 0; c < headDim; c++) {
          dot += at(i, columns.q + h * headDim + c) * at(j, columns.k + kv + c);
        }
        return dot / Math.sqrt(headDim);
      });
      const top = Math.max(...scores);
      const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
      visible.forEach((j, n) => {
        const p = Math.exp(scores[n] - top) / total;
        for (let c = 0; c < headDim; c++) {
          o[(i * heads + h) * headDim + c] += p * at(j, columns.v + kv + c);
        }
      });
    }
  }
  return { o: { kind: "matrix" as const, rows: qkv.rows, cols: heads * headDim, data: o } };
}

export const attentionSpec: KernelSpec<AttentionShape> = {
  name: "attention",
  cases: (): KernelCase<AttentionShape>[] => [
    caseOf("packed", { heads: 2, kvHeads: 2, headDim: 8 }, [
      { prompt: 5, branches: [] },
      { prompt: 1, branches: [] },
      { prompt: 7, branches: [] },
    ], 3),
    caseOf("tree with grouped-query heads", { heads: 4, kvHeads: 2, headDim: 12 }, [
      { prompt: 3, branches: [2, 1, 3] },
      { prompt: 4, branches: [1, 1] },
    ], 1),
    caseOf("wide heads", { heads: 1, kvHeads: 1, headDim: 32 }, [{ prompt: 9, branches: [2] }], 0),
    caseOf("widest heads", { heads: 2, kvHeads: 1, headDim: 128 }, [{ prompt: 6, branches: [] }], 0),
    // Sequences that cross the borders of blocks of 16 queries, and branches that see a prompt two blocks away.
    caseOf("several blocks", { heads: 4, kvHeads: 2, headDim: 20 }, [
      { prompt: 21, branches: [13, 1, 9] },
      { prompt: 18, branches: [] },
    ], 5),
  ],
  reference,
  forward: (device, inputs, shape) => {
    const { qkv, intervals } = inputs as { qkv: Matrix; intervals: Flat };
    const { q, k, v } = qkvColumns(shape);
    const keyValues = { matrix: qkv, k, v };
    return { o: attention(device, qkv, q, keyValues, keyValues, intervals, shape).o };
  },
  backward: (device, inputs, _outputs, gradients, shape) => {
    const { qkv, intervals, viewers } = inputs as { qkv: Matrix; intervals: Flat; viewers: Flat };
    const { q, k, v } = qkvColumns(shape);
    const keyValues = { matrix: qkv, k, v };
    const saved = attention(device, qkv, q, keyValues, keyValues, intervals, shape);
    return { qkv: attentionBackward(device, qkv, gradients.o as Matrix, saved, intervals, viewers, shape) };
  },
  tolerance: { backward: 1e-3 },
};
