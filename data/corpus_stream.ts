import type { Corpus, CorpusItem, CorpusSample, CorpusUser, Interactions } from "./corpus.ts";
import type { Split } from "./dataset.ts";

/** How many items and users a corpus has. */
export interface CatalogueSizes {
  items: number;
  users: number;
}

/** A corpus that is gone through in parts, as often as wanted, without being held. */
export interface CorpusStream
  extends Pick<Corpus, "name" | "source" | "license" | "split" | "maxHistory">, Disposable {
  /** How many rows the tables have, where the files say so, for those who wait. */
  rows?: Partial<Record<keyof CatalogueSizes | "interactions" | Split, number>>;
  /** How many items and users there are, without going through them. */
  sizes(): Promise<CatalogueSizes>;
  /** The catalogue in the order of item numbers. */
  items(): AsyncIterable<readonly CorpusItem[]>;
  /** Everyone with an interaction, in the order of user numbers. */
  users(): AsyncIterable<readonly CorpusUser[]>;
  /** The log in its order. */
  interactions(): AsyncIterable<Interactions>;
  /** Tasks of a split in the order of the files. */
  samples(split: Split): AsyncIterable<readonly CorpusSample[]>;
  /** What lies beside the tables. */
  rest(): Promise<Pick<Corpus, "sids" | "attachments" | "files" | "unread">>;
}

/** A corpus that is held, as a stream. */
export function streamOf(corpus: Corpus): CorpusStream {
  const { items, users, sids, attachments, files, unread } = corpus;
  return {
    ...corpus,
    sizes: () => Promise.resolve({ items: items.length, users: users.length }),
    items: () => cut(items),
    users: () => cut(users),
    interactions: () => once(corpus.interactions),
    samples: (split) => once(corpus.samples[split]),
    rest: () => Promise.resolve({ ...(sids && { sids }), attachments, files, unread }),
    [Symbol.dispose]() {},
  };
}

/** All parts of a log in one. A log may be most of the memory: columns grow as parts come, which are not kept. */
export async function joinInteractions(stream: AsyncIterable<Interactions>): Promise<Interactions> {
  const [users, items] = [0, 1].map(() => new GrowingColumn<Int32Array>((length) => new Int32Array(length)));
  const [times, ratings] = [0, 1].map(() =>
    new GrowingColumn<Float64Array>((length) => new Float64Array(length))
  );
  let rows = 0;
  for await (const part of stream) {
    users.set(part.users, rows);
    items.set(part.items, rows);
    if (part.times) times.set(part.times, rows);
    if (part.ratings) ratings.set(part.ratings, rows);
    rows += part.users.length;
  }
  return {
    users: users.first(rows),
    items: items.first(rows),
    ...(times.isKnown && { times: times.first(rows) }),
    ...(ratings.isKnown && { ratings: ratings.first(rows) }),
  };
}

/** Numbers that come in parts, NaN where none came; of whole numbers all must come. */
export class GrowingColumn<A extends Int32Array | Float64Array> {
  readonly #make: (length: number) => A;
  /** With room for more, which takes no memory until it is written to. */
  #values: A;
  #length = 0;
  /** Whether any came. */
  isKnown = false;

  /** `make` gives so many zeros. */
  constructor(make: (length: number) => A) {
    this.#make = make;
    this.#values = make(0);
  }

  /** Numbers from place `at` on, behind all that came. */
  set(part: A, at: number): void {
    this.#reach(at, part.length);
    this.#values.set(part, at);
    this.#length = at + part.length;
    this.isKnown = true;
  }

  /** The first `length` numbers. */
  first(length: number): A {
    this.#reach(length, 0);
    return this.#values.subarray(0, length) as A;
  }

  /** Knows all before `at`, and has room for `more`. */
  #reach(at: number, more: number): void {
    const before = this.#values;
    if (at + more > before.length) {
      this.#values = this.#make(Math.max(at + more, 2 * before.length));
      this.#values.set(before.subarray(0, this.#length));
    }
    if (at > this.#length) this.#values.fill(NaN, this.#length, at);
    this.#length = at;
  }
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

/** Rows that are cut off a table at once. */
const CUT = 100_000;

/** A table that is held, in parts, of which each makes little beside it. */
async function* cut<T>(table: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let first = 0; first < table.length; first += CUT) {
    yield await Promise.resolve(table.slice(first, first + CUT));
  }
}

/** A stream of one part. */
export async function* once<T>(part: T): AsyncGenerator<T> {
  yield await Promise.resolve(part);
}
