import assert from "node:assert/strict";
import { ownDevice, sharedDevice } from "../../shared_device.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { ndcgAtK } from "../../../eval/metrics.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { rankOf } from "../../../train/baselines/item_training.ts";
import type { BaselineInput } from "../../../train/baselines/method.ts";
import { sasrec, type SasrecConfig } from "../../../train/baselines/sasrec.ts";
import { DivergenceError } from "../../../train/run/divergence.ts";
import { runScorer } from "../../../train/rl/scorers/run.ts";
import { RunDirectory } from "../../../train/run/directory.ts";

const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });

const small = {
  hiddenSize: 16,
  numHiddenLayers: 1,
  numTrainEpochs: 4,
  tokensPerBatch: 128,
  learningRate: 0.01,
  warmupSteps: 4,
  initializerRange: 0.1,
};

async function train(
  device: Device,
  out: string,
  settings: Partial<SasrecConfig> = {},
  more: Partial<BaselineInput> = {},
) {
  const run = new RunDirectory(out);
  await run.create(more.resume ?? false);
  await run.write("config.json", JSON.stringify({ model: "sasrec" }));
  const input = { device, dataset, run, resume: false, signal: new AbortController().signal, ...more };
  const result = await sasrec.train(input, sasrec.Config.parse({ ...small, ...settings }));
  return { run, result };
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function linesOf(run: RunDirectory): Promise<Record<string, unknown>[]> {
  return (await run.read("metrics.jsonl")).trim().split("\n").map((line) => {
    const { seconds: _, ...entry } = JSON.parse(line);
    return entry;
  });
}

async function filesOf(run: RunDirectory): Promise<unknown[]> {
  const folder = await run.checkpoint("latest");
  const files = ["model.safetensors", "trainer.safetensors"];
  const bytes = await Promise.all(files.map((name) => Deno.readFile(`${folder}/${name}`)));
  return [folder.split("/").at(-1), await run.read("best"), await linesOf(run), ...bytes];
}

for (const loss of ["softmax", "bce"] as const) {
  Deno.test(`sasrec learns, and resumed after a stop amid an epoch it gives the same bytes, ${loss}`, async () => {
    await withFolder(async (folder) => {
      const device = await sharedDevice();
      const settings = { loss, emaDecay: loss === "softmax" ? 0.9 : 0 };
      const whole = await train(device, `${folder}/whole`, settings);
      assert.equal(whole.result.stopped, "finished");
      const losses = (await linesOf(whole.run)).flatMap(({ loss }) =>
        loss === undefined ? [] : [Number(loss)]
      );
      // Blind: ln 60 = 4.09 for the softmax, ln 2 = .69 for the other.
      const blind = loss === "softmax" ? Math.log(60) : Math.LN2;
      assert.ok(losses[0] < 1.1 * blind && losses.at(-1)! < 0.96 * blind, losses.join(" "));

      const abort = new AbortController();
      const steps = whole.result.steps / small.numTrainEpochs;
      const stopped = await train(device, `${folder}/parts`, settings, {
        signal: abort.signal,
        onStep: (step) => step > steps * 1.5 && abort.abort(),
      });
      assert.equal(stopped.result.stopped, "interrupted");
      assert.equal(stopped.result.steps, steps);
      const resumed = await train(device, `${folder}/parts`, settings, { resume: true });
      assert.equal(resumed.result.stopped, "finished");
      assert.deepEqual(await filesOf(resumed.run), await filesOf(whole.run));
    });
  });
}

Deno.test("sasrec's robust term is in either loss, and changes what is learnt", async () => {
  await withFolder(async (folder) => {
    const device = await sharedDevice();
    const trained = async (name: string, settings: Partial<SasrecConfig>) => {
      const { run } = await train(device, `${folder}/${name}`, { numTrainEpochs: 1, ...settings });
      const { loss } = (await linesOf(run)).find(({ loss }) => loss !== undefined)!;
      const weights = await Deno.readFile(`${await run.checkpoint("latest")}/model.safetensors`);
      return { loss: Number(loss), weights };
    };
    const terms: number[] = [];
    for (const loss of ["softmax", "bce"] as const) {
      const still = { loss, learningRate: 1e-12 };
      const none = await trained(`${loss}-none`, still);
      const half = await trained(`${loss}-half`, { ...still, droWeight: 0.5 });
      terms.push((half.loss - none.loss) / 0.5);
    }
    // Weights are fresh and scores near 0: the term is a little above ln 60 = 4.09, whatever it is added to.
    assert.ok(terms[0] > Math.log(60) && terms[0] < 1.5 * Math.log(60), terms.join(" "));
    assert.ok(Math.abs(terms[0] - terms[1]) < 1e-4, terms.join(" "));

    const off = await trained("off", {});
    const term = await trained("term", { droWeight: 0.25 });
    const colder = await trained("colder", { droWeight: 0.25, droTemperature: 0.5 });
    assert.notDeepEqual(term.weights, off.weights);
    assert.notDeepEqual(colder.weights, term.weights);
  });
});

Deno.test("sasrec as the references train it learns, in steps of so many rows, and its run ranks", async () => {
  await withFolder(async (folder) => {
    const device = await sharedDevice();
    const settings = {
      block: "reference",
      numAttentionHeads: 1,
      tieWordEmbeddings: false,
      outputBias: true,
      loss: "bce",
      negatives: "other",
      targets: "last",
      batchSize: 64,
      tokensPerBatch: 256,
      numTrainEpochs: 3,
      maxLength: 4,
    } as const;
    const { run, result } = await train(device, `${folder}/run`, settings);
    const rows = dataset.histories.reduce((sum, { items }) => sum + Math.max(0, items.length - 1), 0);
    assert.equal(result.steps, settings.numTrainEpochs * Math.ceil(rows / settings.batchSize));
    const losses = (await linesOf(run)).flatMap(({ loss }) => loss === undefined ? [] : [Number(loss)]);
    assert.ok(losses[0] < 1.1 * Math.LN2 && losses.at(-1)! < 0.96 * Math.LN2, losses.join(" "));
    const trained = await sasrec.load(device, await run.checkpoint("best"));
    const [long] = await trained.rank([[9, ...Array.from({ length: 30 }, (_, i) => i % 7)]], 60);
    assert.equal(new Set(long.items).size, 60);
    assert.deepEqual(await trained.rank([[5, 6, 0, 1].map((_, i) => (26 + i) % 7)], 60), [long]);
    await assert.rejects(
      train(device, `${folder}/heads`, { ...settings, numAttentionHeads: 2 }),
      /Cannot build SASRec with the block of the references and 2 heads: expected 1/,
    );
  });
});

Deno.test("a run of sasrec loads with the scores that it was validated by, as a reward too", async () => {
  await withFolder(async (folder) => {
    const device = await ownDevice();
    const out = `${folder}/run`;
    const { result, run } = await train(device, out);
    const trained = await sasrec.load(device, await run.checkpoint("best"));
    const { valid } = dataset.samples;
    const histories = valid.map(({ history }) => history);
    const lists = await Array.fromAsync(trained.scoreAll(histories));
    const ranks = lists.map((scores, i) => rankOf(scores, valid[i].target));
    const ndcg10 = ndcgAtK(ranks, 10).reduce((sum, value) => sum + value, 0) / valid.length;
    assert.equal(ndcg10, result.best!.score);
    assert.equal((await run.read("best")).trim(), `step-${result.best!.step}`);

    const [first] = await trained.rank([histories[0]], 60);
    assert.equal(first.items.indexOf(valid[0].target), ranks[0]);
    const scores = await trained.scores(histories[0]);
    assert.deepEqual(first.scores, first.items.map((item) => scores[item]));
    const embeddings = await trained.embeddings!();
    assert.deepEqual([embeddings.dim, embeddings.data.length], [16, 60 * 16]);

    const context = {
      dataset,
      itemTokens: [],
      device: () => Promise.resolve(device),
      warn() {},
    };
    const scorer = await runScorer.open(out, context);
    assert.deepEqual(await scorer!.scores(histories[0]), scores);
    assert.equal(await runScorer.open("transitions", context), undefined);
    const other = { ...context, dataset: { ...dataset, items: dataset.items.slice(1) } };
    await assert.rejects(
      async () => await runScorer.open(out, other),
      /it was trained on 60 items, .* has 59, expected as many/,
    );
  });
});

Deno.test("a run of sasrec ranks histories longer than its table, and refuses weights of a table of another length", async () => {
  await withFolder(async (folder) => {
    const device = await ownDevice();
    const { run } = await train(device, `${folder}/run`, { maxLength: 5, numTrainEpochs: 1 });
    const trained = await sasrec.load(device, await run.checkpoint("best"));
    const long = Array.from({ length: 300 }, (_, i) => i * 7 % 60);
    const [whole, latest, shorter] = await trained.rank([long, long.slice(-5), long.slice(-4)], 60);
    assert.deepEqual(whole, latest);
    assert.notDeepEqual(whole, shorter);
    trained.destroy();

    const path = `${await run.checkpoint("best")}/config.json`;
    const shape = JSON.parse(await Deno.readTextFile(path));
    for (const length of [4, 6]) {
      await Deno.writeTextFile(path, JSON.stringify({ ...shape, max_length: length }));
      await assert.rejects(sasrec.load(device, await run.checkpoint("best")), (error: Error) => {
        assert.equal(error.name, "UserError");
        const sizes = `position_embedding\\.weight has shape \\[5,16\\], expected \\[${length},16\\]`;
        assert.match(
          error.message,
          new RegExp(`${sizes}\\. Put back model\\.safetensors and config\\.json of one`),
        );
        return true;
      });
    }
  });
});

Deno.test("sasrec stops after `patience` epochs without a better validation, and says where numbers broke", async () => {
  await withFolder(async (folder) => {
    const device = await sharedDevice();
    const settings = { learningRate: 1e-12, numTrainEpochs: 9, patience: 2 };
    const { result } = await train(device, `${folder}/early`, settings);
    assert.equal(result.stopped, "early");
    assert.equal(result.best!.step * 3, result.steps);
    await assert.rejects(
      train(device, `${folder}/broken`, { learningRate: 1e30, maxGradNorm: 0, warmupSteps: 0 }),
      (error: Error) =>
        error instanceof DivergenceError && /epoch \d: .*lower --learning-rate/.test(error.message),
    );
  });
});

Deno.test("rankOf() puts equal scores in the order of item numbers", () => {
  const scores = Float32Array.of(1, 3, 2, 3, 2);
  assert.deepEqual([0, 1, 2, 3, 4].map((item) => rankOf(scores, item)), [4, 0, 2, 1, 3]);
});
