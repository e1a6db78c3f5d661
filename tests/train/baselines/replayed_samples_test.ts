import assert from "node:assert/strict";
import type { CountedSample } from "../../../eval/transition_counts.ts";
import { ReplayedSamples } from "../../../train/baselines/replayed_samples.ts";

async function through(samples: AsyncIterable<readonly CountedSample[]>): Promise<CountedSample[]> {
  return (await Array.fromAsync(samples)).flat();
}

Deno.test("samples come from their source once, and then from a file that says the same", async () => {
  // Some longer than a block, most of a length that does not divide it.
  const samples = Array.from({ length: 30_000 }, (_, i) => ({
    user: `u${i}`,
    history: Array.from({ length: i % 9999 === 5000 ? 600_000 : i % 37 }, (_, j) => (i * 7 + j) % 100_000),
    target: i,
  }));
  let ways = 0;
  using replayed = new ReplayedSamples(async function* () {
    ways++;
    for (let at = 0; at < samples.length; at += 1000) {
      yield await Promise.resolve(samples.slice(at, at + 1000));
    }
  });
  assert.deepEqual(await through(replayed.samples()), samples);
  const later = samples.map((sample) => ({ ...sample, user: 0 }));
  for (let way = 0; way < 2; way++) {
    const found = await through(replayed.samples());
    assert.ok(found.length === later.length);
    for (const [i, sample] of found.entries()) assert.deepEqual(sample, later[i]);
  }
  assert.equal(ways, 1);
});

Deno.test("a way that was broken off is gone again from the source, and no sample is fine", async () => {
  let ways = 0;
  using replayed = new ReplayedSamples(async function* () {
    ways++;
    yield await Promise.resolve([{ user: 1, history: [3, 4], target: 5 }]);
    yield await Promise.resolve([{ user: 2, history: [], target: 6 }]);
  });
  for await (const _ of replayed.samples()) break;
  assert.equal((await through(replayed.samples())).length, 2);
  assert.deepEqual(await through(replayed.samples()), [
    { user: 0, history: [3, 4], target: 5 },
    { user: 0, history: [], target: 6 },
  ]);
  assert.equal(ways, 2);
  using none = new ReplayedSamples(async function* () {});
  for (let way = 0; way < 2; way++) assert.deepEqual(await through(none.samples()), []);
});

Deno.test({
  name: "a folder of temporary files that is not there is named, and how to name another",
  ignore: Deno.build.os === "windows",
  async fn() {
    const before = Deno.env.get("TMPDIR");
    Deno.env.set("TMPDIR", "/nowhere/at/all");
    try {
      using replayed = new ReplayedSamples(async function* () {});
      await assert.rejects(through(replayed.samples()), {
        name: "UserError",
        message: /Cannot write samples to a temporary file: .*TMPDIR/s,
      });
    } finally {
      if (before === undefined) Deno.env.delete("TMPDIR");
      else Deno.env.set("TMPDIR", before);
    }
  },
});
