import type { Corpus, CorpusItem, CorpusSample, CorpusUser, Interactions } from "./corpus.ts";
import type { Split } from "./dataset.ts";
import type { KeptColumns } from "./kept/work.ts";

/** How many items and users a corpus has. */
export interface CatalogueSizes {
  items: number;
  users: number;
}

/** How much of a table was gone through before. */
export interface PartsBefore {
  /** Parts of it, in their order. */
  parts: number;
  /** Rows of them. */
  rows: number;
}

/** A corpus that is gone through in parts, as often as wanted, without being held. */
export interface CorpusStream
  extends Pick<Corpus, "name" | "source" | "license" | "split" | "maxHistory">, Disposable {
  /** How many rows the tables have, where the files say so, for those who wait. */
  rows?: Partial<Record<keyof CatalogueSizes | "interactions" | Split, number>>;
  /** Files that say how many parts the tables have and what is in them; absent where they are held. */
  tableFiles?: readonly string[];
  /** How many items and users there are, without going through them. */
  sizes(): Promise<CatalogueSizes>;
  /** The catalogue in the order of item numbers. */
  items(): AsyncIterable<readonly CorpusItem[]>;
  /** Everyone with an interaction, in the order of user numbers. */
  users(): AsyncIterable<readonly CorpusUser[]>;
  /** The log in its order, or what follows on parts of it. */
  interactions(before?: PartsBefore): AsyncIterable<Interactions>;
  /** Tasks of a split in the order of the files, or what follows on parts of them. */
  samples(split: Split, before?: PartsBefore): AsyncIterable<readonly CorpusSample[]>;
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
    interactions: (before) => once(corpus.interactions, before),
    samples: (split, before) => once(corpus.samples[split], before),
    rest: () => Promise.resolve({ ...(sids && { sids }), attachments, files, unread }),
    [Symbol.dispose]() {},
  };
}

/** All parts of a log in one. */
export async function joinInteractions(stream: AsyncIterable<Interactions>): Promise<Interactions> {
  const log = new GrowingLog();
  for await (const part of stream) log.add(part);
  return log.interactions;
}

/** A log that comes in parts. It may be most of the memory: columns grow as parts come, which are not kept. */
export class GrowingLog {
  readonly #users = int32Column();
  readonly #items = int32Column();
  readonly #times = float64Column();
  readonly #ratings = float64Column();
  #rows = 0;

  add({ users, items, times, ratings }: Interactions): void {
    this.#users.set(users, this.#rows);
    this.#items.set(items, this.#rows);
    if (times) this.#times.set(times, this.#rows);
    if (ratings) this.#ratings.set(ratings, this.#rows);
    this.#rows += users.length;
  }

  /** All that came. */
  get interactions(): Interactions {
    const rows = this.#rows, times = this.#times, ratings = this.#ratings;
    return {
      users: this.#users.first(rows),
      items: this.#items.first(rows),
      ...(times.isKnown && { times: times.first(rows) }),
      ...(ratings.isKnown && { ratings: ratings.first(rows) }),
    };
  }

  /** Goes on behind the `rows` of a log without ratings whose {@link interactions} were kept. */
  async goOn(kept: KeptColumns, rows: number): Promise<void> {
    this.#rows = rows;
    await kept.column("users", Int32Array, (length) => this.#users.room(length));
    await kept.column("items", Int32Array, (length) => this.#items.room(length));
    if (kept.has("times")) await kept.column("times", Float64Array, (length) => this.#times.room(length));
  }
}

const int32Column = () => new GrowingColumn<Int32Array>((length) => new Int32Array(length));
const float64Column = () => new GrowingColumn<Float64Array>((length) => new Float64Array(length));

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

  /** Where to put `length` numbers before all others. */
  room(length: number): A {
    this.#values = this.#make(2 * length); // as long as it would have grown
    this.#length = length;
    this.isKnown = true;
    return this.first(length);
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

/** A stream of one part, or of what follows on parts of it. */
export async function* once<T>(part: T, before?: PartsBefore): AsyncGenerator<T> {
  if (!before?.parts) yield await Promise.resolve(part);
}
