import assert from "node:assert/strict";
import { partOfUsers } from "../../../bench/results/part_of_users.ts";
import { trickyCorpus } from "../../data/convert/tricky_corpus.ts";

Deno.test("a part of the users has all of their rows and log, under numbers of its own, and the whole catalogue", () => {
  const corpus = trickyCorpus();
  for (const percent of [1, 50, 100]) {
    const part = partOfUsers(corpus, percent, 42);
    assert.equal(part.users.length, Math.max(1, Math.round(corpus.users.length * percent / 100)));
    assert.deepEqual(part.items, corpus.items);
    const kept = new Set(part.users);
    const named = (of: typeof corpus, split: "train" | "valid" | "test") =>
      of.samples[split].map((sample) => ({ ...sample, user: of.users[sample.user] }))
        .filter(({ user }) => kept.has(user));
    for (const split of ["train", "valid", "test"] as const) {
      assert.deepEqual(named(part, split), named(corpus, split));
      assert.equal(part.samples[split].length, named(corpus, split).length);
    }
    const log = ({ users, interactions }: typeof corpus) =>
      Array.from(interactions.users, (user, row) => ({
        user: users[user],
        item: interactions.items[row],
        time: interactions.times?.[row],
        rating: interactions.ratings?.[row],
      })).filter(({ user }) => kept.has(user));
    assert.deepEqual(log(part), log(corpus));
    assert.equal(part.interactions.users.length, log(part).length);
  }
  assert.deepEqual(partOfUsers(corpus, 50, 7), partOfUsers(corpus, 50, 7));
});
