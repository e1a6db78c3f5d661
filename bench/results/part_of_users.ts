import { PhiloxStream } from "../../base/philox.ts";
import type { Corpus, CorpusSample } from "../../data/corpus.ts";
import { drawRows } from "../../data/convert/draw.ts";

/** A dataset of `percent` of its users, drawn by `seed`, with all of their samples and the whole catalogue. */
export function partOfUsers(corpus: Corpus, percent: number, seed: number): Corpus {
  const most = Math.max(1, Math.round(corpus.users.length * percent / 100));
  const isDrawn = drawRows(corpus.users.length, most, new PhiloxStream(seed, "part of users"));
  const kept = [...corpus.users.keys()].filter((user) => isDrawn[user] === 1);
  const numbers = new Map(kept.map((user, number) => [user, number]));
  const own = (samples: CorpusSample[]) =>
    samples.flatMap((sample) => {
      const user = numbers.get(sample.user);
      return user === undefined ? [] : [{ ...sample, user }];
    });
  const { users, items, times, ratings } = corpus.interactions;
  const rows = Array.from(users.keys()).filter((row) => numbers.has(users[row]));
  const { train, valid, test } = corpus.samples;
  return {
    ...corpus,
    name: `${corpus.name}-${percent}`,
    users: kept.map((user) => corpus.users[user]),
    samples: { train: own(train), valid: own(valid), test: own(test) },
    interactions: {
      users: Int32Array.from(rows, (row) => numbers.get(users[row])!),
      items: Int32Array.from(rows, (row) => items[row]),
      ...times && { times: Float64Array.from(rows, (row) => times[row]) },
      ...ratings && { ratings: Float64Array.from(rows, (row) => ratings[row]) },
    },
    attachments: {},
  };
}
