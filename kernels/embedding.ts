import type { Device } from "./device.ts";
import { gatherRows } from "./gather_rows.ts";
import type { Kernel } from "./kernel.ts";
import { refresh } from "./refresh.ts";
import { rowSlices } from "./slices.ts";
import { type KernelSpec, matrixOf, noise } from "./spec.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "./tensor.ts";
import code from "./embedding.wgsl" with { type: "text" };

const backwardKernel: Kernel = {
  label: "kernels/embedding.wgsl",
  code,
  entry: "embed_backward",
  inputs: 1,
  outputs: 0,
  flats: ["read", "read", "read_write"],
  workgroup: [16, 8],
};

/** table (V, C), tokens u32 (T) -> rows of the table (T, C); tokens that the table does not have give 0. */
export function embed(device: Device, table: Matrix, tokens: Flat): Matrix {
  return gatherRows(device, table, tokens, tokens.length);
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

interface Attributes {
  tokens: number[];
}

export const spec: KernelSpec<Attributes> = {
  name: "embed",
  cases: () =>
    [
      { vocabulary: 7, cols: 6, tokens: [3, 0, 3, 6, 3, 7, 0xffffffff] },
      { vocabulary: 1, cols: 1, tokens: [0] },
      { vocabulary: 20, cols: 33, tokens: Array.from({ length: 50 }, (_, i) => i * i % 23) },
    ].map(({ vocabulary, cols, tokens }) => ({
      name: `V ${vocabulary}, C ${cols}, T ${tokens.length}`,
      inputs: { table: matrixOf(vocabulary, cols, noise(cols)) },
      attributes: { tokens },
    })),
  reference: ({ table }, { tokens }) => {
    const y = tokens.flatMap((token) =>
      Array.from(
        { length: table.cols },
        (_, c) => token < table.rows ? table.data[token * table.cols + c] : 0,
      )
    );
    return { y: { kind: "matrix", rows: tokens.length, cols: table.cols, data: Float64Array.from(y) } };
  },
  forward: (device, { table }, { tokens }) => ({
    y: embed(device, table as Matrix, device.createFlat("u32", Uint32Array.from(tokens))),
  }),
  backward: (device, inputs, _outputs, { y }, { tokens }) => {
    const { rows, cols } = inputs.table as Matrix;
    const index = tokenRows(Uint32Array.from(tokens), tokens.length, rows);
    const offsets = device.createFlat("u32", index.offsets);
    const places = device.createFlat("u32", index.rows);
    const gradient = device.createFlat("f32", rows * groupsOf(cols) * 4);
    embedBackward(device, y as Matrix, offsets, places, gradient, false);
    const table = device.matrix(rows, cols);
    refresh(device, gradient, rows, cols, table, undefined);
    return { table };
  },
};
