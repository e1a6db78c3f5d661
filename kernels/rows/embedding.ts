import type { Device } from "../gpu/device.ts";
import { gatherBlockRows, NO_ROW, type RowBlock } from "./gather_rows.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { refresh } from "./refresh.ts";
import { rowSlices } from "../reduce/slices.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./embedding.wgsl" with { type: "text" };

const backwardKernel: Kernel = {
  label: "kernels/rows/embedding.wgsl",
  code,
  entry: "embed_backward",
  inputs: 1,
  outputs: 0,
  flats: ["read", "read", "read_write"],
  workgroup: [16, 8],
};

const tokensKernel: Kernel = {
  ...backwardKernel,
  entry: "embed_tokens_backward",
  flats: ["read", "read", "read", "read_write"],
};

/** Table (V, C) in blocks, tokens u32 (T) -> its rows (T, C); tokens that the table does not have give 0. */
export function embed(device: Device, table: readonly RowBlock[], tokens: Flat): Matrix {
  return gatherBlockRows(device, table, tokens, tokens.length);
}

/** For every token the rows where it stands: rows[offsets[v]] to rows[offsets[v + 1] - 1], ascending. */
export interface TokenRows {
  /** (V + 1). */
  offsets: Uint32Array<ArrayBuffer>;
  /** As long as the tokens; what follows rows[offsets[V] - 1] is unused. */
  rows: Uint32Array<ArrayBuffer>;
}

/** Rows of each token among the first `count` tokens; tokens from `vocabulary` on are left out. */
export function tokenRows(tokens: Uint32Array, count: number, vocabulary: number): TokenRows {
  const offsets = new Uint32Array(vocabulary + 1);
  for (let row = 0; row < count; row++) if (tokens[row] < vocabulary) offsets[tokens[row] + 1]++;
  for (let token = 0; token < vocabulary; token++) offsets[token + 1] += offsets[token];
  const next = offsets.slice();
  const rows = new Uint32Array(tokens.length);
  for (let row = 0; row < count; row++) if (tokens[row] < vocabulary) rows[next[tokens[row]]++] = row;
  return { offsets, rows };
}

/**
 * Gradient of the embedding table, set or added to. dy (T, C); offsets u32 (V + 1) and rows u32 (T) of
 * {@link tokenRows} -> gradient f32 (V, C), rows of whole groups of four. Sums in the order of the rows, so the same
 * input gives the same bytes.
 */
export function embedBackward(
  device: Device,
  dy: Matrix,
  offsets: Flat,
  rows: Flat,
  gradient: Flat,
  accumulate: boolean,
): void {
  const groups = groupsOf(dy.cols);
  const vocabulary = offsets.length - 1;
  expectLength("embedBackward() offsets", offsets, "u32", 1);
  expectLength("embedBackward() rows", rows, "u32", 0);
  expectLength("embedBackward() gradient", gradient, "f32", vocabulary * groups * 4);
  for (const slice of rowSlices(device, gradient, vocabulary, groups * 4)) {
    device.run(backwardKernel, {
      inputs: [dy],
      flats: [offsets, rows, slice.flat],
      u32: [slice.first, slice.rows, groups, Number(accumulate)],
      invocations: [groups, slice.rows],
    });
  }
}

/** Where the tokens of a batch (T) stand: what the gradient of a table adds up. */
export interface TokenOccurrences<A = Flat> {
  /** u32 (T): the tokens that occur, each once; then {@link NO_ROW}. */
  tokens: A;
  /** u32 (T + 1): token number i stands at rows[offsets[i]] to rows[offsets[i + 1] - 1], ascending. */
  offsets: A;
  /** u32 (T). */
  rows: A;
}

/** Occurrences of the first `count` of the tokens (T); {@link NO_ROW} is none. */
export function tokenOccurrences(tokens: Uint32Array, count: number): TokenOccurrences<Uint32Array> {
  const { length } = tokens;
  // Below 2^53 for any token and as many rows as a device holds: sorted by token, then by row.
  const keys = new Float64Array(count);
  let used = 0;
  for (let row = 0; row < count; row++) if (tokens[row] !== NO_ROW) keys[used++] = tokens[row] * length + row;
  const sorted = keys.subarray(0, used).sort();
  const distinct = new Uint32Array(length).fill(NO_ROW);
  const offsets = new Uint32Array(length + 1).fill(used);
  const rows = new Uint32Array(length);
  let last = -1;
  let found = 0;
  sorted.forEach((key, i) => {
    const token = Math.floor(key / length);
    rows[i] = key - token * length;
    if (token === last) return;
    distinct[found] = last = token;
    offsets[found++] = i;
  });
  return { tokens: distinct, offsets, rows };
}

/**
 * Adds the gradient of a table's rows [start, start + rows) to what `gradient` holds. dy (T, C) -> gradient f32
 * (rows, C), rows of whole groups of four. Sums in the order of the rows, so the same input gives the same bytes.
 */
export function embedTokensBackward(
  device: Device,
  dy: Matrix,
  { tokens, offsets, rows }: TokenOccurrences,
  gradient: Flat,
  block: { start: number; rows: number },
): void {
  const groups = groupsOf(dy.cols);
  expectLength("embedTokensBackward() tokens", tokens, "u32", 0);
  expectLength("embedTokensBackward() offsets", offsets, "u32", tokens.length + 1);
  expectLength("embedTokensBackward() rows", rows, "u32", 0);
  expectLength("embedTokensBackward() gradient", gradient, "f32", block.rows * groups * 4);
  for (const slice of rowSlices(device, gradient, block.rows, groups * 4)) {
    device.run(tokensKernel, {
      inputs: [dy],
      flats: [tokens, offsets, rows, slice.flat],
      u32: [block.start + slice.first, slice.rows, groups, tokens.length],
      invocations: [groups, tokens.length],
    });
  }
}

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
