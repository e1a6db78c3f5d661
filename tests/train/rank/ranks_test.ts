import assert from "node:assert/strict";
import { ALONE, type World } from "../../../base/parallel/world.ts";
import { holdOut } from "../../../data/holdout.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import type { RankConfig } from "../../../train/rank/config.ts";
import { listsOf } from "../../../train/rank/lists.ts";
import { trainRanker } from "../../../train/rank/training.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { worldsOf } from "../../base/parallel/in_process.ts";
import { settings, shop, splitOf, withFolder } from "./toys.ts";

const part = holdOut(shop, 300);
const train = splitOf(part), whole = splitOf(shop);
const config: RankConfig = { ...settings, gradientAccumulationSteps: 4, numTrainEpochs: 2, emaDecay: 0.5 };

/** A device for each rank, as processes have. */
const devices: Promise<Device>[] = [];

/** Makes lists and trains with all ranks of a world; what is left, times left out. */
async function trainIn(
  out: string,
  worlds: World[],
  more: (world: World) => Partial<RankConfig> = () => ({}),
) {
  const run = new RunDirectory(out);
  await run.create(false);
  await run.write("config.json", "{}");
  const asked: number[] = [];
  await Promise.all(worlds.map(async (world) => {
    const device = await (devices[world.rank] ??= Device.open());
    const runs = train.runs.map((run) => ({
      ...run,
      recommend: (...[requests, options]: Parameters<typeof run.recommend>) => {
        asked[world.rank] = (asked[world.rank] ?? 0) + requests.length;
        return run.recommend(requests, options);
      },
    }));
    const lists = await listsOf({ ...train, runs }, part.samples.valid, { world });
    const valid = await listsOf(whole, shop.samples.valid, { world });
    const signal = new AbortController().signal;
    const { columns } = whole.maker.features;
    const input = { device, lists, valid, columns, run: new RunDirectory(out), resume: false, signal, world };
    await trainRanker(input, { ...config, ...more(world) });
  }));
  const folder = await run.checkpoint("latest");
  const files = ["model.safetensors", "trainer.safetensors"].map((name) =>
    Deno.readFile(`${folder}/${name}`)
  );
  const lines = (await run.logged()).map(({ seconds: _, ...line }) => line);
  return { asked, left: { lines, best: await run.read("best"), files: await Promise.all(files) } };
}

Deno.test("a ranker of 1, 2 and 4 ranks ends with the same bytes and lines, and each asks the runs for its share", async () => {
  await withFolder(async (folder) => {
    const alone = await trainIn(`${folder}/1`, [ALONE]);
    assert.equal(alone.left.lines.filter(({ valid }) => valid).length, 2);
    // Of two runs; batches have 64 histories.
    const samples = part.samples.valid.length;
    assert.deepEqual([samples, alone.asked], [300, [600]]);
    const two = await trainIn(`${folder}/2`, worldsOf(2));
    assert.deepEqual(two.left, alone.left);
    assert.deepEqual(two.asked, [2 * (64 + 64 + 44), 2 * (64 + 64)]);
    const four = await trainIn(`${folder}/4`, worldsOf(4), () => ({ zeroStage: 1 }));
    assert.deepEqual(four.left, alone.left);
  });
});
