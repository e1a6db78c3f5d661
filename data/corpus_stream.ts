import type { Corpus, CorpusItem, CorpusSample, CorpusUser, Interactions } from "./corpus.ts";
import type { Split } from "./dataset.ts";

/**
 * A corpus that is gone through in parts, without being held: items and users once, then log and splits, as often as
 * wanted.
 */
export interface CorpusStream
  extends Pick<Corpus, "name" | "source" | "license" | "split" | "maxHistory">, Disposable {
  /** How many rows log and splits have, where the files say so, for those who wait. */
  rows?: Partial<Record<"interactions" | Split, number>>;
  /** The catalogue in the order of item numbers. */
  items(): AsyncIterable<readonly CorpusItem[]>;
  /** Everyone with an interaction, in the order of user numbers. */
  users(): AsyncIterable<readonly CorpusUser[]>;
  /** The log in its order. */
  interactions(): AsyncIterable<Interactions>;
  /** Tasks of a split in the order of the files. */
  samples(split: Split): AsyncIterable<readonly CorpusSample[]>;
  /** What lies beside the tables, once the items were gone through. */
  rest(): Promise<Pick<Corpus, "sids" | "attachments" | "files" | "unread">>;
}

/** A corpus that is held, as a stream of one part each. */
export function streamOf(corpus: Corpus): CorpusStream {
  return {
    ...corpus,
    items: () => once(corpus.items),
    users: () => once(corpus.users),
    interactions: () => once(corpus.interactions),
    samples: (split) => once(corpus.samples[split]),
    rest: () => Promise.resolve(corpus),
    [Symbol.dispose]() {},
  };
}

/** All parts of a log in one. A column of them is let go of as soon as it is joined: a log may be most of the memory. */
export async function joinInteractions(stream: AsyncIterable<Interactions>): Promise<Interactions> {
  const parts: Partial<Interactions>[] = [];
  const lengths: number[] = [];
  for await (const part of stream) {
    parts.push({ ...part });
    lengths.push(part.users.length);
  }
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const join = <F extends keyof Interactions>(field: F, whole: NonNullable<Interactions[F]>) => {
    let at = 0;
    for (const [i, part] of parts.entries()) {
      const values = part[field];
      if (values) whole.set(values, at);
      delete part[field];
      at += lengths[i];
    }
    return whole;
  };
  const known = (field: "times" | "ratings") =>
    parts.some((part) => part[field]) ? join(field, new Float64Array(rows).fill(NaN)) : undefined;
  const times = known("times"), ratings = known("ratings");
  return {
    users: join("users", new Int32Array(rows)),
    items: join("items", new Int32Array(rows)),
    ...(times && { times }),
    ...(ratings && { ratings }),
  };
}

/** A log without its ratings. */
export async function* withoutRatings(stream: AsyncIterable<Interactions>): AsyncGenerator<Interactions> {
  for await (const { ratings: _, ...part } of stream) yield part;
}

/** All that is in parts, in one list. */
export async function joinLists<T>(parts: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const part of parts) for (const one of part) all.push(one);
  return all;
}

/** A stream of one part. */
export async function* once<T>(part: T): AsyncGenerator<T> {
  yield await Promise.resolve(part);
}
