// What a ranker says it will hold: lists by their columns and candidates, and its training on the device.
import assert from "node:assert/strict";
import { wordIndexBytes } from "../../../rank/candidates/texts.ts";
import { countingBytes } from "../../../rank/counts/purchases.ts";
import { itemTerms } from "../../../rank/features/sources.ts";
import { holdOut } from "../../../data/holdout.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { rehearsed } from "../../../kernels/gpu/rehearsal.ts";
import { listSizes, listsOf } from "../../../train/rank/lists.ts";
import { rehearseRanking } from "../../../train/rank/rehearsal.ts";
import { runsOf, settings, shop, splitOf, trainInto, withFolder } from "./toys.ts";

Deno.test("lists are no larger than was said, and the training holds on the device what was counted", async () => {
  const part = holdOut(shop, 300);
  const { valid } = shop.samples, { valid: learned } = part.samples;
  const counted = { split: shop, samples: valid }, fold = { split: part, samples: learned };
  const terms = itemTerms(shop.items)!;
  const sizes = listSizes(counted, [fold], terms, runsOf(shop), settings);
  const whole = splitOf(shop);
  assert.deepEqual(sizes.columns, whole.maker.features.columns);
  assert.equal(sizes.counts, wordIndexBytes(terms) + countingBytes(shop) + countingBytes(part));
  // Two runs that list 20 items each, 10 of the counts, 5 of texts, and those of the history.
  const most = [...valid, ...learned].map(({ history }) => 55 + history.length);
  assert.equal(sizes.most, Math.max(...most));
  assert.equal(sizes.lists, 4 * sizes.columns.length * most.reduce((sum, length) => sum + length, 0));

  assert.equal(sizes.asked, 120 * most.length * 2 * 20);

  const lists = await listsOf(splitOf(part), learned), chosen = await listsOf(whole, valid);
  const made = [lists, chosen].flatMap(({ raw }) => raw).reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(made > 0 && made <= sizes.lists, `${made} of ${sizes.lists} bytes`);

  const device = (await Device.open()).sibling();
  const parts = [valid, learned].map((samples) => ({ open: () => Promise.resolve(runsOf(shop)), samples }));
  const { bytes, inProcess } = await rehearsed(
    device,
    (device, stop) => rehearseRanking(device, parts, sizes, settings, stop),
  );
  assert.equal(device.memory.peak, 0);
  assert.ok(inProcess > sizes.counts + sizes.lists, "with the checkpoints");
  await withFolder(async (out) => {
    const { columns } = sizes;
    await trainInto(device, out, { lists, valid: chosen, columns }, { ...settings, numTrainEpochs: 1 });
  });
  const { peak } = device.memory;
  assert.ok(bytes >= peak && bytes < 1.5 * peak, `${bytes} bytes were counted, ${peak} held`);
});
