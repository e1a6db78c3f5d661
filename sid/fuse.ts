import { UserError } from "../base/user_error.ts";
import type { Embeddings } from "./embeddings.ts";

/** One kind of vectors of all items. */
export interface Part {
  /** For messages: the file that the vectors came from. */
  name: string;
  /** (N, D'). */
  embeddings: Embeddings;
  /** Length that its vectors get, beside the other parts. */
  weight: number;
}

/**
 * Joins parts side by side: parts of widths D1 and D2 give (N, D1 + D2). Each part's vectors are scaled to the length
 * `weight`, so that squared distances are the weighted sum of squared cosine distances of the parts. A zero vector, such as that of an item
 * without purchases, stays zero: the other parts alone then tell such items apart.
 * @throws {UserError} if the parts have different numbers of rows.
 */
export function concatenate(parts: readonly Part[]): Embeddings {
  const { rows } = parts[0].embeddings;
  for (const { name, embeddings } of parts) {
    if (embeddings.rows === rows) continue;
    throw new UserError(
      `Cannot join ${
        parts[0].name
      } and ${name}: they have ${rows} and ${embeddings.rows} rows, expected one row an ` +
        "item in both. Make both from the same dataset",
    );
  }
  const dim = parts.reduce((sum, { embeddings }) => sum + embeddings.dim, 0);
  const data = new Float32Array(rows * dim);
  let column = 0;
  for (const { embeddings, weight } of parts) {
    const scaled = normalizeRows(embeddings, weight);
    for (let row = 0; row < rows; row++) {
      data.set(scaled.data.subarray(row * scaled.dim, (row + 1) * scaled.dim), row * dim + column);
    }
    column += embeddings.dim;
  }
  return { data, rows, dim };
}

/** Rows (N, D) scaled to one Euclidean length; zero rows stay zero. */
export function normalizeRows({ data, rows, dim }: Embeddings, length = 1): Embeddings {
  const scaled = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = row * dim; i < (row + 1) * dim; i++) squares += data[i] * data[i];
    const scale = squares > 0 ? length / Math.sqrt(squares) : 0;
    for (let i = row * dim; i < (row + 1) * dim; i++) scaled[i] = data[i] * scale;
  }
  return { data: scaled, rows, dim };
}

/** Rows whose numbers are all zero, ascending. */
export function zeroRows({ data, rows, dim }: Embeddings): number[] {
  const found: number[] = [];
  for (let row = 0; row < rows; row++) {
    if (data.subarray(row * dim, (row + 1) * dim).every((value) => value === 0)) found.push(row);
  }
  return found;
}
