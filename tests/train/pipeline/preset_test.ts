import assert from "node:assert/strict";
import { parse } from "yaml";
import type { Sample } from "../../../data/dataset.ts";
import type { SparseRows } from "../../../kernels/matmul/sparse.ts";
import { BASELINES } from "../../../train/baselines/by_name.ts";
import { presetFor, sidPresetFor, TAUGHT } from "../../../train/pipeline/preset.ts";
import { RankSchema } from "../../../train/rank/config.ts";
import { listSizes } from "../../../train/rank/lists.ts";
import { rlConfig } from "../../../train/rl/config.ts";
import { SftSchema } from "../../../train/sft/config.ts";

const SIZES = [400, 1_000, 3_600, 9_400, 36_000, 130_000, 1_000_000];

Deno.test("presetFor() gives settings that the tasks take, at every size", () => {
  const { Config } = BASELINES.find(({ name }) => name === "gru4rec")!;
  for (const targets of SIZES) {
    const { decoder, items, holdoutRows, folds, taught } = presetFor({
      targets,
      users: targets / 5,
      holdable: targets - 1,
    });
    SftSchema.parse(decoder);
    Config.parse(items);
    const { maxSteps, numTrainEpochs, promptsPerStep } = rlConfig(taught);
    assert.ok(
      maxSteps <= Math.ceil(targets / 5 / promptsPerStep) * numTrainEpochs,
      "as many prompts as steps ask for",
    );
    assert.equal(holdoutRows, Math.min(Math.floor(targets / 8), 36_000));
    assert.ok(folds === (targets < 200_000 ? 2 : 1) && folds * holdoutRows <= targets / 2);
  }
});

Deno.test("presetFor() holds out no more than there is where users have few targets each", () => {
  const few = (holdable: number) => {
    const { holdoutRows, folds } = presetFor({ targets: 4_000, users: 3_200, holdable });
    return [holdoutRows, folds];
  };
  assert.deepEqual([few(3_999), few(800), few(300)], [[500, 2], [500, 1], [300, 1]]);
});

Deno.test("sidPresetFor() has no more codewords than items, and a SID for each", () => {
  for (const items of [2, 3, 12, 40, 3_000, 1_000_000]) {
    const { codebookSize } = sidPresetFor(items);
    assert.ok(codebookSize <= items && codebookSize ** 3 >= items, `${items}: ${codebookSize}`);
  }
});

Deno.test("counts and lists of a ranker over a million interactions of 200,000 items fit into 2 GB, and it says so before", () => {
  const of = (count: number) =>
    new Array<Sample>(count).fill({ user: "ann", history: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], target: 5 });
  const samples = { train: of(800_000), valid: of(100_000), test: [] };
  const dataset = {
    ...{ name: "", source: "", license: "" },
    files: [],
    items: new Array(200_000).fill({ title: "" }),
    histories: [],
    samples,
  };
  const { ranker, holdoutRows, folds } = presetFor({ targets: 800_000, users: 150_000, holdable: 799_999 });
  const settings = RankSchema.parse(ranker);
  const runs = [{ scoreUnit: "log-probability" }, { scoreUnit: "logit", async *scoreItems() {} }] as const;
  const chosen = samples.valid.slice(0, settings.evalSamples), held = of(folds * holdoutRows);
  const whole = { split: dataset, samples: chosen }, fold = { split: dataset, samples: held };
  const words = 10 * dataset.items.length;
  const texts: SparseRows = {
    ...{ rows: dataset.items.length, cols: 50_000, offsets: new Uint32Array(dataset.items.length + 1) },
    ...{ columns: new Uint32Array(words), values: new Float32Array(words) },
  };
  const { counts, lists } = listSizes(whole, [fold], texts, runs, settings);
  assert.ok(lists > 5e8 && counts + lists < 2e9, `${counts} and ${lists} bytes`);
});

Deno.test("presetFor() makes more steps of an epoch and more epochs of less data", () => {
  const steps = SIZES.map((targets) => {
    const { decoder } = presetFor({ targets, users: targets / 5, holdable: targets });
    return { epochs: decoder.numTrainEpochs!, tokens: decoder.tokensPerBatch! };
  });
  for (const [i, { epochs, tokens }] of steps.slice(1).entries()) {
    assert.ok(epochs <= steps[i].epochs && tokens >= steps[i].tokens, `${SIZES[i + 1]}`);
  }
  // Tokens of a SID and of an item, about four: never so few steps that nothing is learned.
  for (const [i, { epochs, tokens }] of steps.entries()) {
    assert.ok(4 * SIZES[i] * epochs / tokens > 450, `${SIZES[i]}`);
  }
});

Deno.test("presetFor() of Industrial's size has the settings that were chosen on it", () => {
  const { decoder, taught } = presetFor({ targets: 36_259, users: 7_035, holdable: 36_258 });
  const { hiddenSize, numTrainEpochs, tokensPerBatch, learningRate, dropout } = decoder;
  assert.deepEqual([hiddenSize, numTrainEpochs, tokensPerBatch, learningRate, dropout], [
    128,
    20,
    2048,
    .004,
    .3,
  ]);
  assert.equal(taught.maxSteps, 220);
});

Deno.test("configs/taught-rl.yaml has what `genrec train --teach` has", async () => {
  const file = new URL("../../../configs/taught-rl.yaml", import.meta.url);
  assert.deepEqual(parse(await Deno.readTextFile(file)), TAUGHT);
});
