import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import type { Dataset, Sample } from "../../../data/dataset.ts";
import { chainHistories } from "../../../data/histories.ts";
import { holdOut } from "../../../data/holdout.ts";
import { transitionScorer } from "../../../eval/count_scorers.ts";
import { mean, ndcgAtK } from "../../../eval/metrics.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import type { BaselineEpoch } from "../../../train/baselines/method.ts";
import { listsOf } from "../../../train/rank/lists.ts";
import { settings, shop, splitOf, trainInto, withFolder } from "./toys.ts";

const HELD = 300;
const device = await Device.open();
const part = holdOut(shop, HELD);
const lists = await listsOf(splitOf(part), part.samples.valid);
const whole = splitOf(shop);
const valid = await listsOf(whole, shop.samples.valid);
const { columns } = whole.maker.features;

Deno.test("a ranker learns from held-out rows, and beats the counts that it is made of on valid rows", async () => {
  await withFolder(async (out) => {
    const epochs: BaselineEpoch[] = [];
    const { result } = await trainInto(device, out, {
      lists,
      valid,
      columns,
      onEpoch: (epoch) => epochs.push(epoch),
    });
    assert.equal(result.stopped, "finished");
    const losses = epochs.map(({ loss }) => loss!);
    // Of about 40 candidates, ln 40 = 3.7.
    assert.ok(losses[0] < 3.7 && losses.at(-1)! < 0.9 * losses[0], losses.join(" "));
    assert.equal(result.best!.score, Math.max(...epochs.map(({ valid }) => valid!.ndcg10)));
    const counts = transitionScorer(shop.samples.train, shop.items.length);
    const ranks = shop.samples.valid.map(({ history, target }) => {
      const rank = counts.rank(history, 10).items.indexOf(target);
      return rank < 0 ? null : rank;
    });
    const ofCounts = mean(ndcgAtK(ranks, 10));
    assert.ok(result.best!.score > 1.05 * ofCounts, `${result.best!.score}, counts ${ofCounts}`);
  });
});

Deno.test("an epoch over few lists has several steps, so that patience does not end it after as many as epochs", async () => {
  await withFolder(async (out) => {
    const few = { ...lists, offsets: lists.offsets.slice(0, 20), targets: lists.targets.slice(0, 19) };
    const { result } = await trainInto(device, out, { lists: few, valid, columns }, {
      ...settings,
      batchSize: 64,
      numTrainEpochs: 2,
    });
    // Lists of 19 in steps of 3.
    assert.equal(result.steps, 2 * 7);
  });
});

Deno.test("a run that was stopped and resumed leaves the same bytes as one that was not", async () => {
  await withFolder(async (folder) => {
    const names = ["model.safetensors", "trainer.safetensors", "config.json"];
    const bytesOf = async (out: string, step: number) =>
      await Promise.all(names.map((name) => Deno.readFile(`${out}/checkpoints/step-${step}/${name}`)));
    const { result: { steps } } = await trainInto(device, `${folder}/once`, { lists, valid, columns });
    const abort = new AbortController();
    const onEpoch = ({ epoch }: BaselineEpoch) => epoch === 2 && abort.abort();
    const stopped = await trainInto(device, `${folder}/twice`, {
      lists,
      valid,
      columns,
      signal: abort.signal,
      onEpoch: (epoch) => void onEpoch(epoch),
    });
    assert.equal(stopped.result.stopped, "interrupted");
    const resumed = await trainInto(device, `${folder}/twice`, { lists, valid, columns, resume: true });
    assert.equal(stopped.result.steps + resumed.result.steps, steps);
    assert.deepEqual(await bytesOf(`${folder}/twice`, steps), await bytesOf(`${folder}/once`, steps));
  });
});

/** The shop with targets that have nothing to do with their history. */
function shuffled(dataset: Dataset): Dataset {
  const random = new PhiloxStream(5, "shuffled targets");
  const of = (samples: Sample[]) =>
    samples.map((sample) => ({ ...sample, target: random.below(dataset.items.length) }));
  const train = of(dataset.samples.train);
  // Windows that do not go on: each row is a sequence of its own.
  return {
    ...dataset,
    samples: { train, valid: of(dataset.samples.valid), test: [] },
    histories: chainHistories(train),
  };
}

Deno.test("shuffled targets end at chance; they would not if the counts knew the rows that are learned from", async () => {
  const blind = shuffled(shop);
  const less = holdOut(blind, HELD);
  const held = less.samples.valid;
  // Of 120 items, the first ten places hold the target with 1 / 12.
  const chance = Array.from({ length: 10 }, (_, rank) => 1 / Math.log2(rank + 2) / 120).reduce((a, b) =>
    a + b
  );
  const measure = async (known: Dataset) => {
    const split = splitOf(known);
    const learned = await listsOf(split, held);
    const other = await listsOf(splitOf(blind), blind.samples.valid);
    let scores = { learned: 0, other: 0 };
    await withFolder(async (folder) => {
      const config = { ...settings, numTrainEpochs: 6 };
      const measured = async (name: string, valid: typeof other) => {
        const { result } = await trainInto(
          device,
          `${folder}/${name}`,
          { lists: learned, valid, columns },
          config,
        );
        return result.best!.score;
      };
      scores = { learned: await measured("learned", learned), other: await measured("other", other) };
    });
    return scores;
  };
  const honest = await measure(less);
  // The best of six epochs on 300 rows and on the valid rows, whose NDCG@10 has a deviation of about 0.01.
  assert.ok(honest.other < chance + 0.03, `${honest.other}, chance ${chance}`);
  const leaking = await measure(blind);
  assert.ok(leaking.learned > 2 * honest.learned, `${leaking.learned}, without leak ${honest.learned}`);
});

Deno.test("without a target among any candidates there is nothing to learn", async () => {
  await withFolder(async (out) => {
    const none = await listsOf(splitOf(part), []);
    await assert.rejects(
      trainInto(device, out, { lists: { ...none, samples: 7 }, columns }),
      new UserError(
        "Cannot learn to rank: the target is among the candidates of none of 7 histories. Use longer lists (--list-length), " +
          "or better runs",
      ),
    );
  });
});
