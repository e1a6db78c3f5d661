import type { Device } from "../gpu/device.ts";
import { gatherBlockRows, NO_ROW, type RowBlock } from "./gather.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { rowSlices } from "../reduce/row_slices.ts";
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
