import type { Corpus, CorpusItem, CorpusSample, CorpusUser, Interactions } from "./corpus.ts";
import type { Split } from "./dataset.ts";

/** A corpus that is gone through once, in parts, without being held: items, users, log, then the splits in order. */
export interface CorpusStream
  extends Pick<Corpus, "name" | "source" | "license" | "split" | "maxHistory">, Disposable {
  /** The catalogue in the order of item numbers. */
  items(): AsyncIterable<readonly CorpusItem[]>;
  /** Everyone with an interaction, in the order of user numbers. */
  users(): AsyncIterable<readonly CorpusUser[]>;
  /** The log in its order. */
  interactions(): AsyncIterable<Interactions>;
  /** Tasks of a split in the order of the files. */
  samples(split: Split): AsyncIterable<readonly CorpusSample[]>;
  /** What comes after all that. */
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

/** All parts of a log in one: 16 bytes an interaction where times are known. */
export async function joinInteractions(parts: AsyncIterable<Interactions>): Promise<Interactions> {
  const all = await Array.fromAsync(parts);
  if (all.length === 1) return all[0];
  const rows = all.reduce((sum, { users }) => sum + users.length, 0);
  const join = <A extends Int32Array | Float64Array>(
    whole: A,
    partOf: (part: Interactions) => A | undefined,
  ) => {
    let at = 0;
    for (const part of all) {
      const values = partOf(part);
      if (values) whole.set(values, at);
      at += part.users.length;
    }
    return whole;
  };
  const known = (field: "times" | "ratings") =>
    all.some((part) => part[field])
      ? join(new Float64Array(rows).fill(NaN), (part) => part[field])
      : undefined;
  const times = known("times"), ratings = known("ratings");
  return {
    users: join(new Int32Array(rows), ({ users }) => users),
    items: join(new Int32Array(rows), ({ items }) => items),
    ...(times && { times }),
    ...(ratings && { ratings }),
  };
}

/** All that is in parts, in one list. */
export async function joinLists<T>(parts: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const part of parts) for (const one of part) all.push(one);
  return all;
}

async function* once<T>(part: T): AsyncGenerator<T> {
  yield await Promise.resolve(part);
}
