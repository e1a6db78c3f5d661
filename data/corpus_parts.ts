import type { Corpus } from "./corpus.ts";
import { type CatalogueSizes, type CorpusStream, streamOf } from "./corpus_stream.ts";

/** A corpus that is gone through in parts, as often as wanted: of what grows with it, SIDs alone are held. */
export interface CorpusParts
  extends
    Omit<Corpus, "items" | "users" | "interactions" | "samples">,
    Pick<CorpusStream, "rows" | "items" | "users" | "interactions" | "samples"> {
  sizes: CatalogueSizes;
}

/** A corpus that is held, in parts. */
export function corpusParts(corpus: Corpus): CorpusParts {
  const { items, users } = corpus;
  return { ...corpus, ...streamOf(corpus), sizes: { items: items.length, users: users.length } };
}

/** A stream, with what lies beside its tables; it must stay open while they are gone through. */
export async function partsOfStream(stream: CorpusStream): Promise<CorpusParts> {
  return { ...stream, ...await stream.rest(), sizes: await stream.sizes() };
}

/** Rows of a table, one by one. */
export async function* rowsIn<T>(parts: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const part of parts) yield* part;
}

/** Parts of a table with the rows alone that `isKept` has a 1 for. */
export async function* keptRows<T>(
  parts: AsyncIterable<readonly T[]>,
  isKept: Uint8Array,
): AsyncGenerator<readonly T[]> {
  let first = 0;
  for await (const part of parts) {
    yield part.filter((_, row) => isKept[first + row] === 1);
    first += part.length;
  }
}

/** How many rows a table has. */
export async function countRows(parts: AsyncIterable<readonly unknown[]>): Promise<number> {
  let rows = 0;
  for await (const part of parts) rows += part.length;
  return rows;
}

/** Some rows of a table. */
export interface NumberedRows<T> {
  /** Number of the first. */
  first: number;
  rows: readonly T[];
}

/** Parts of a table, with the numbers of their rows. */
export async function* numberedRows<T>(
  parts: AsyncIterable<readonly T[]>,
): AsyncGenerator<NumberedRows<T>> {
  let first = 0;
  for await (const rows of parts) {
    yield { first, rows };
    first += rows.length;
  }
}
