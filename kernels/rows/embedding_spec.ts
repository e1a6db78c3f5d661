import { NO_ROW } from "./gather.ts";
import { refresh } from "./refresh.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import { embed, embedBackward, embedTokensBackward, tokenOccurrences, tokenRows } from "./embedding.ts";

interface Attributes {
  tokens: number[];
  blocks: number[];
}

export const spec: KernelSpec<Attributes> = {
  name: "embed",
  cases: () =>
    [
      { blocks: [7], cols: 6, tokens: [3, 0, 3, 6, 3, 7, NO_ROW] },
      { blocks: [1], cols: 1, tokens: [0] },
      { blocks: [8, 5, 7], cols: 33, tokens: Array.from({ length: 50 }, (_, i) => i * i % 23) },
    ].map(({ blocks, cols, tokens }) => ({
      name: `V ${blocks.join(" + ")}, C ${cols}, T ${tokens.length}`,
      inputs: Object.fromEntries(
        blocks.map((rows, i) => [`table${i}`, matrixOf(rows, cols, noise(cols + i))]),
      ),
      attributes: { tokens, blocks },
    })),
  reference: (inputs, { tokens, blocks }) => {
    const { cols } = inputs.table0;
    const table = blocks.flatMap((_, i) => [...inputs[`table${i}`].data]);
    const y = tokens.flatMap((token) => Array.from({ length: cols }, (_, c) => table[token * cols + c] ?? 0));
    return { y: { kind: "matrix", rows: tokens.length, cols, data: Float64Array.from(y) } };
  },
  forward: (device, inputs, { tokens, blocks }) => {
    const table = startsOf(blocks).map((start, i) => ({ start, matrix: inputs[`table${i}`] as Matrix }));
    return { y: embed(device, table, device.createFlat("u32", Uint32Array.from(tokens))) };
  },
  backward: (device, inputs, _outputs, { y }, { tokens, blocks }) => {
    const { cols } = inputs.table0 as Matrix;
    const host = tokenOccurrences(Uint32Array.from(tokens), tokens.length);
    const occurrences = {
      tokens: device.createFlat("u32", host.tokens),
      offsets: device.createFlat("u32", host.offsets),
      rows: device.createFlat("u32", host.rows),
    };
    return Object.fromEntries(
      startsOf(blocks).map((start, i) => {
        const rows = blocks[i];
        const gradient = device.createFlat("f32", rows * groupsOf(cols) * 4);
        embedTokensBackward(device, y as Matrix, occurrences, gradient, { start, rows });
        const table = device.matrix(rows, cols);
        refresh(device, gradient, rows, cols, table, undefined);
        return [`table${i}`, table];
      }),
    );
  },
};

/** The sum of a table's gradient by labels that never come to the host: see `clusterRows()`. */
export const backwardSpec: KernelSpec<{ labels: number[]; codewords: number }> = {
  name: "embedBackward",
  cases: () =>
    [{ codewords: 7, cols: 6, labels: [3, 0, 3, 6, 3, 7] }, { codewords: 1, cols: 1, labels: [0] }].map(
      ({ cols, ...attributes }) => ({
        name: `K ${attributes.codewords}, C ${cols}`,
        inputs: { dy: matrixOf(attributes.labels.length, cols, noise(cols)) },
        attributes,
      }),
    ),
  reference: ({ dy }, { labels, codewords }) => {
    const data = new Float64Array(codewords * dy.cols);
    labels.forEach((label, row) => {
      for (let c = 0; label < codewords && c < dy.cols; c++) {
        data[label * dy.cols + c] += 2 * dy.data[row * dy.cols + c];
      }
    });
    return { sums: { kind: "matrix", rows: codewords, cols: dy.cols, data } };
  },
  forward: (device, { dy }, { labels, codewords }) => {
    const { cols } = dy as Matrix;
    const index = tokenRows(Uint32Array.from(labels), labels.length, codewords);
    const offsets = device.createFlat("u32", index.offsets);
    const rows = device.createFlat("u32", index.rows);
    const flat = device.createFlat("f32", codewords * groupsOf(cols) * 4);
    embedBackward(device, dy as Matrix, offsets, rows, flat, false);
    embedBackward(device, dy as Matrix, offsets, rows, flat, true);
    const sums = device.matrix(codewords, cols);
    refresh(device, flat, codewords, cols, sums, undefined);
    return { sums };
  },
};

function startsOf(blocks: readonly number[]): number[] {
  let start = 0;
  return blocks.map((rows) => (start += rows) - rows);
}
