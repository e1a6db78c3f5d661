import assert from "node:assert/strict";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { AppendedFile } from "../../../data/kept/appended.ts";
import type { CountedSample } from "../../../eval/transition_counts.ts";
import { ReplayedSamples } from "../../../train/baselines/replayed_samples.ts";

async function through(replayed: ReplayedSamples): Promise<CountedSample[]> {
  return (await Array.fromAsync(replayed.samples())).flat();
}

/** Some longer than a block, most of a length that does not divide it. */
function manySamples(): CountedSample[] {
  return Array.from({ length: 30_000 }, (_, i) => ({
    user: 0,
    history: Array.from({ length: i % 9999 === 5000 ? 600_000 : i % 37 }, (_, j) => (i * 7 + j) % 100_000),
    target: i,
  }));
}

function assertSame(found: CountedSample[], expected: CountedSample[]): void {
  assert.equal(found.length, expected.length);
  for (const [i, sample] of found.entries()) assert.deepEqual(sample, expected[i]);
}

Deno.test("samples come back from their file, as often as wanted, and from where they were kept meanwhile", async () => {
  const samples = manySamples(), dir = await Deno.makeTempDir();
  try {
    using file = new AppendedFile("samples");
    const replayed = new ReplayedSamples(file);
    for (let at = 0; at < samples.length; at += 1000) {
      await replayed.add(samples.slice(at, at + 1000));
      if (at !== 7000 && at !== 12_000) continue;
      await replayed.flush();
      const { bytes, sha256 } = await file.keepAs(dir, "samples");
      const there = await Deno.readFile(join(dir, "samples"));
      assert.equal(there.length, bytes);
      assert.equal(createHash("sha256").update(there).digest("hex"), sha256);
      // What a kill behind this moment would leave, with more that was written.
      await Deno.writeFile(join(dir, `${at}`), new Uint8Array([...there, 1, 2, 3]));
      using again = await AppendedFile.goOn("samples", join(dir, `${at}`), bytes, createHash("sha256"));
      const rest = new ReplayedSamples(again);
      await rest.add(samples.slice(at + 1000, at + 3000));
      await rest.flush();
      assertSame(await through(rest), samples.slice(0, at + 3000));
    }
    await replayed.flush();
    for (let way = 0; way < 2; way++) assertSame(await through(replayed), samples);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("no sample is fine", async () => {
  using file = new AppendedFile("samples");
  const none = new ReplayedSamples(file);
  await none.flush();
  for (let way = 0; way < 2; way++) assert.deepEqual(await through(none), []);
});

Deno.test({
  name: "a folder of temporary files that is not there is named, and how to name another",
  ignore: Deno.build.os === "windows",
  async fn() {
    const before = Deno.env.get("TMPDIR");
    Deno.env.set("TMPDIR", "/nowhere/at/all");
    try {
      using file = new AppendedFile("samples");
      await assert.rejects(new ReplayedSamples(file).flush(), {
        name: "UserError",
        message: /Cannot write samples to a temporary file: .*TMPDIR/s,
      });
    } finally {
      if (before === undefined) Deno.env.delete("TMPDIR");
      else Deno.env.set("TMPDIR", before);
    }
  },
});
