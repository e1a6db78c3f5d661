import assert from "node:assert/strict";
import { join } from "node:path";
import type { Sample } from "../../../data/dataset.ts";
import { holdOut } from "../../../data/holdout.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import type { RankedRun } from "../../../train/rank/check_runs.ts";
import { type Fold, foldsOf } from "../../../train/rank/folds.ts";
import { foldLists, listsOf, rankedSplit } from "../../../train/rank/lists.ts";
import { runsOf, settings, shop, withFolder } from "./toys.ts";

/** What opens as a run that left out `rows` train targets. */
async function leftOut(folder: string, rows: number): Promise<RankedRun> {
  const run = join(folder, String(rows));
  await Deno.mkdir(run, { recursive: true });
  await Deno.writeTextFile(join(run, "config.json"), JSON.stringify({ holdoutRows: rows }));
  const [recommender] = runsOf(holdOut(shop, rows));
  return { run, recommender: { ...recommender, provenance: { model: "toy" } } as RankedRun["recommender"] };
}

Deno.test("foldsOf() gives each fold the rows that it left out and no other one did", async () => {
  await withFolder(async (folder) => {
    const runs = await Promise.all([300, 100, 200].map((rows) => leftOut(folder, rows)));
    const folds = await foldsOf(runs, runs.slice(0, 1), shop);
    assert.deepEqual(folds.map(({ rows }) => rows), [100, 200, 300]);
    const learned = new Set<Sample>();
    for (const { part, rows, samples } of folds) {
      const known = new Set(part.samples.train);
      assert.equal(known.size, shop.samples.train.length - rows);
      for (const sample of samples) {
        assert.ok(!known.has(sample) && !learned.has(sample));
        learned.add(sample);
      }
    }
    assert.deepEqual(learned, new Set(folds.at(-1)!.part.samples.valid));
    assert.ok(folds.every(({ samples }) => samples.length === 100));
  });
});

Deno.test("foldLists() are the lists of the folds one after the other, standardised together", async () => {
  const folds = [100, 250].map((rows, i): Fold => {
    const part = holdOut(shop, rows);
    return { rows, part, runs: runsOf(part), samples: part.samples.valid.slice(0, 50 + i) };
  });
  let done = 0;
  const all = await foldLists(folds, {
    device: await Device.open(),
    texts: undefined,
    settings,
    onProgress: (samples) => done = samples,
  });
  const alone = await Promise.all(
    folds.map(({ part, samples }) => listsOf(rankedSplit(part, undefined, runsOf(part), settings), samples)),
  );
  assert.equal(done, 101);
  assert.equal(all.samples, 101);
  assert.deepEqual(all.raw, alone.flatMap(({ raw }) => raw));
  const [first] = alone;
  const lists = first.targets.length;
  assert.equal(all.targets[lists], first.offsets[lists] + alone[1].targets[0]);
  assert.ok(all.standardisation.mean.some((mean, i) => {
    const [a, b] = alone.map(({ standardisation }) => standardisation.mean[i]);
    return mean > Math.min(a, b) && mean < Math.max(a, b);
  }));
});
