import type { Corpus, CorpusSample, Interactions } from "./corpus.ts";
import { type CorpusStream, joinLists, once } from "./corpus_stream.ts";
import type { Split } from "./dataset.ts";

/**
 * A corpus whose catalogue, users and SIDs are held, and whose log and samples are not: these are gone through in parts, as
 * often as wanted.
 */
export interface CorpusParts extends Omit<Corpus, "interactions" | "samples">, Pick<CorpusStream, "rows"> {
  /** The log in its order. */
  interactions(): AsyncIterable<Interactions>;
  /** Tasks of a split in the order of the files. */
  samples(split: Split): AsyncIterable<readonly CorpusSample[]>;
}

/** A corpus that is held, in one part each. */
export function corpusParts(corpus: Corpus): CorpusParts {
  const { interactions, samples } = corpus;
  return {
    ...corpus,
    interactions: () => once(interactions),
    samples: (split) => once(samples[split]),
  };
}

/** Reads catalogue, users and what lies beside the tables; the stream must stay open while the rest is gone through. */
export async function holdCatalogue(stream: CorpusStream): Promise<CorpusParts> {
  const { name, source, license, split, maxHistory, rows } = stream;
  const items = await joinLists(stream.items());
  const users = await joinLists(stream.users());
  const rest = await stream.rest();
  return {
    name,
    source,
    license,
    split,
    maxHistory,
    ...(rows && { rows }),
    items,
    users,
    ...rest,
    interactions: () => stream.interactions(),
    samples: (split) => stream.samples(split),
  };
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

/** Some rows of a table that is held. */
export interface CutRows<T> {
  /** Number of the first. */
  first: number;
  rows: readonly T[];
}

const CUT = 100_000;

/** A table that is held, in parts, of which each makes little beside it. */
export async function* cutRows<T>(table: readonly T[]): AsyncGenerator<CutRows<T>> {
  for (let first = 0; first < table.length; first += CUT) {
    yield await Promise.resolve({ first, rows: table.slice(first, first + CUT) });
  }
}
