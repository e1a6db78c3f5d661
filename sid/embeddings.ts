import { UserError } from "../base/user_error.ts";

/** Vectors of N items. */
export interface Embeddings {
  /** (rows, dim), row after row. */
  data: Float32Array;
  /** Items, N. */
  rows: number;
  /** Numbers an item, D. */
  dim: number;
}

/** @throws {UserError} if sizes disagree, or naming the items, from `first` on, whose numbers are NaN, infinite or huge. */
export function checkEmbeddings({ data, rows, dim }: Embeddings, first = 0): void {
  if (rows === 0 || dim === 0 || data.length !== rows * dim) {
    throw new UserError(
      `Cannot make SIDs: embeddings are (${rows}, ${dim}) with ${data.length} numbers, expected ` +
        `${rows * dim} and at least one. Write the embedding file again`,
    );
  }
  const bad: number[] = [];
  // A square that float32 cannot hold would make every distance infinite.
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = row * dim; i < (row + 1) * dim; i++) squares += data[i] * data[i];
    if (!Number.isFinite(Math.fround(4 * squares))) bad.push(first + row);
  }
  if (bad.length === 0) return;
  const listed = bad.slice(0, 5).join(", ") + (bad.length > 5 ? ` and ${bad.length - 5} more` : "");
  throw new UserError(
    `Cannot make SIDs: the embeddings of items ${listed} hold NaN, infinite or huge numbers, expected finite ones. ` +
      "Embed these items again",
  );
}

/** @throws {UserError} if there are fewer items than codewords. */
export function checkEnoughItems({ rows }: Embeddings, codebookSize: number): void {
  if (rows >= codebookSize) return;
  const fitting = 2 ** Math.max(1, Math.floor(Math.log2(rows / 4)));
  throw new UserError(
    `Cannot learn ${codebookSize} codewords from ${rows} items: expected at least as many items as codewords. ` +
      (fitting <= rows ? `Use --codebook-size ${fitting} or less` : "Use more items, at least 2"),
  );
}

/** The vectors of some items, in their order: (items, D). */
export function pickRows(data: Float32Array, items: Uint32Array, dim: number): Float32Array {
  const picked = new Float32Array(items.length * dim);
  items.forEach((item, i) => picked.set(data.subarray(item * dim, (item + 1) * dim), i * dim));
  return picked;
}

/**
 * The rows of so many items: those of `embeddings`, or of a first row of zeros, which ETEGRec's text vectors have for
 * padding, those after it. Undefined where the rows are not the items.
 */
export function withoutPaddingRow(embeddings: Embeddings, items: number): Embeddings | undefined {
  const { data, rows, dim } = embeddings;
  if (rows === items) return embeddings;
  if (rows !== items + 1 || data.subarray(0, dim).some((value) => value !== 0)) return undefined;
  return { data: data.slice(dim), rows: items, dim };
}
