import assert from "node:assert/strict";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { UserError } from "../../../base/user_error.ts";
import {
  markovChainScorer,
  popularityScorer as bestsellers,
  repeatRecentScorer,
  sequentialRulesScorer,
  transitionScorer as weighted,
} from "../../../eval/count_scorers.ts";
import { mean, ndcgAtK } from "../../../eval/metrics.ts";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { markov, popularity, repeat, sequentialRules, transitions } from "../../../train/baselines/counts.ts";
import type { BaselineEpoch, BaselineInput } from "../../../train/baselines/method.ts";
import { RunDirectory } from "../../../train/run/directory.ts";

const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
const pairs = [
  [popularity, bestsellers],
  [repeat, repeatRecentScorer],
  [transitions, weighted],
  [markov, markovChainScorer],
  [sequentialRules, sequentialRulesScorer],
] as const;

async function train(
  method: (typeof pairs)[number][0],
  out: string,
  more: Partial<BaselineInput> = {},
  settings: Record<string, unknown> = {},
) {
  const device = await Device.open();
  const run = new RunDirectory(out);
  await run.create(more.resume ?? false);
  await run.write("config.json", JSON.stringify({ model: method.name }));
  const signal = new AbortController().signal;
  return {
    device,
    run,
    result: await method.train(
      { device, dataset, run, resume: false, signal, ...more },
      method.Config.parse(settings) as never,
    ),
  };
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [method, scorerOf] of pairs) {
  Deno.test(`a run of ${method.name} ranks as the scorer of the evaluation does`, async () => {
    await withFolder(async (folder) => {
      const epochs: BaselineEpoch[] = [];
      const { device, run, result } = await train(method, `${folder}/run`, {
        onEpoch: (epoch) => epochs.push(epoch),
      });
      const trained = await method.load(device, await run.checkpoint("best"));
      const { train: samples, valid, test } = dataset.samples;
      const scorer = scorerOf(samples, dataset.items.length);
      const histories = [...test.map(({ history }) => history), []];
      assert.deepEqual(
        await trained.rank(histories, 60),
        histories.map((history) => scorer.rank(history, 60)),
      );
      const { items: [first], scores: [score] } = scorer.rank(histories[0], 1);
      assert.equal((await trained.scores(histories[0]))[first], Math.fround(score));
      const ranks = valid.map(({ history, target }) => scorer.rank(history, 60).items.indexOf(target));
      assert.deepEqual(result.best, { score: mean(ndcgAtK(ranks, 10)), step: 1 });
      assert.deepEqual(epochs.map(({ loss, valid }) => [loss, valid?.ndcg10]), [[
        undefined,
        result.best!.score,
      ]]);
    });
  });
}

Deno.test("transitions resumed counts again and leaves the same bytes and one log", async () => {
  await withFolder(async (folder) => {
    const abort = new AbortController();
    abort.abort();
    const stopped = await train(transitions, folder, { signal: abort.signal });
    assert.equal(stopped.result.stopped, "interrupted");
    assert.equal(await stopped.run.hasCheckpoint(), false);
    const files = ["checkpoints/step-1/model.safetensors", "checkpoints/step-1/config.json"];
    const bytesOf = (run: RunDirectory) =>
      Promise.all(files.map((name) => Deno.readFile(`${run.path}/${name}`)));
    const { run } = await train(transitions, folder, { resume: true });
    const once = await bytesOf(run);
    await train(transitions, folder, { resume: true });
    assert.deepEqual(await bytesOf(run), once);
    assert.equal((await run.read("metrics.jsonl")).trim().split("\n").length, 2);
  });
});

Deno.test("counts refuse items that they do not have, other counts, and a train split without samples", async () => {
  await withFolder(async (folder) => {
    const { device, run } = await train(popularity, `${folder}/run`);
    const trained = await popularity.load(device, await run.checkpoint("best"));
    await assert.rejects(
      trained.rank([[3, 60]], 5),
      new UserError("Cannot score items for a history with item 60: the counts are of the items 0 to 59"),
    );
    const checkpoint = await run.checkpoint("best");
    await assert.rejects(
      transitions.load(device, checkpoint),
      /model.safetensors: it has no numbers named row_lengths, expected 60. Train it again/,
    );
    await Deno.remove(`${checkpoint}/model.safetensors`);
    await assert.rejects(popularity.load(device, checkpoint), /Cannot read .*: no such file/);
    const empty = { ...dataset, samples: { ...dataset.samples, train: [] } };
    await assert.rejects(
      train(popularity, `${folder}/empty`, { dataset: empty }),
      new UserError(`Cannot count purchases of ${dataset.name}: its train split is empty`),
    );
  });
});

Deno.test("counts of splits in parts that no dataset holds are those of one that is held", async () => {
  await withFolder(async (folder) => {
    const without = { ...dataset, samples: { train: [], valid: [], test: [] }, histories: [] };
    const parts = async function* (split: "train" | "valid") {
      for (const sample of dataset.samples[split]) yield await Promise.resolve([sample]);
    };
    const held = await train(transitions, `${folder}/held`);
    const cut = await train(transitions, `${folder}/parts`, { dataset: without, parts });
    const weights = async ({ run }: typeof held) =>
      await Deno.readFile(`${await run.checkpoint("best")}/model.safetensors`);
    assert.deepEqual(await weights(cut), await weights(held));
    assert.equal(cut.result.best!.score, held.result.best!.score);
    await assert.rejects(
      train(transitions, `${folder}/none`, { dataset: without }),
      /its train split is empty/,
    );
  });
});

Deno.test("transitions with few neighbours keep those with the highest counts", async () => {
  await withFolder(async (folder) => {
    const kept = async (neighbours: number) => {
      const { run } = await train(transitions, `${folder}/${neighbours}`, {}, { neighbours });
      const bytes = await Deno.readFile(`${await run.checkpoint("best")}/model.safetensors`);
      return new Map(Array.from(readSafetensors(bytes), ([name, { data }]) => [name, [...data]]));
    };
    const all = await kept(0), few = await kept(3);
    let at = 0;
    const expected = all.get("row_lengths")!.flatMap((length) => {
      const row = Array.from({ length }, (_, i) => ({
        target: all.get("targets")![at + i],
        weight: all.get("weights")![at + i],
      }));
      at += length;
      return row.toSorted((a, b) => b.weight - a.weight || a.target - b.target).slice(0, 3)
        .toSorted((a, b) => a.target - b.target);
    });
    assert.ok(expected.length < at, "some rows must lose entries");
    assert.deepEqual(few.get("targets"), expected.map(({ target }) => target));
    assert.deepEqual(few.get("weights"), expected.map(({ weight }) => weight));
    assert.deepEqual(few.get("bought"), all.get("bought"));
    assert.deepEqual(await kept(60), all);
  });
});
