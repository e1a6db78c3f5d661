import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Corpus } from "../../../data/corpus.ts";
import { surveyed } from "../../../data/convert/survey.ts";
import { writeFolder } from "../../../data/convert/dataset_folder.ts";
import { corpusParts } from "../../../data/corpus_parts.ts";
import { genrecWriter } from "../../../data/formats/genrec/write.ts";
import { loadDataset } from "../../../data/formats/load.ts";
import { syntheticCorpus } from "../../../data/synthetic/shop.ts";
import type { EvaluateReport } from "../../../tasks/_evaluate/report_lines.ts";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { pipelineCost } from "../../../tasks/_stages/cost.ts";
import { task as recommend } from "../../../tasks/recommend.ts";
import { task } from "../../../tasks/_stages/train.ts";
import { dataSizeOf, presetFor, quickly } from "../../../train/pipeline/preset.ts";
import { SftSchema } from "../../../train/sft/config.ts";
import { sharedDevice } from "../../shared_device.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";
import { filesIn } from "../genrec.ts";

/** Some 500 train targets of 60 items, without SIDs. */
const shop = () => syntheticCorpus({ items: 60, users: 90 });

/** Runs `use` in a folder with the dataset in `data/`. */
async function withCorpus(corpus: Corpus, use: (dir: string) => Promise<void>): Promise<void> {
  await withFiles({}, async (dir) => {
    const origin = { settings: {}, inputs: {} };
    await writeFolder(
      join(dir, "data"),
      (written) => genrecWriter.files(surveyed(corpusParts(corpus)), { tokenOrder: "text", origin }, written),
    );
    await use(dir);
  });
}

/** Trains in this process; what it said. */
async function train(dir: string, words = "", { io, lines } = collector()): Promise<string[]> {
  const args = [
    "--data",
    join(dir, "data"),
    "--out",
    join(dir, "run"),
    "--quick",
    ...words.split(" ").filter(Boolean),
  ];
  await task.run(parseArgs(task, args)!.config, io);
  return lines;
}

/** Bytes on the adapter that train counts for the stage that is taught. */
async function taughtBytes(data: string): Promise<number> {
  const dataset = await loadDataset(data);
  const preset = quickly(presetFor(dataSizeOf(dataset)));
  const settings = SftSchema.parse(preset.decoder);
  const given = { preset, settings, makesSids: true, items: "gru4rec", beams: 50, reading: 0 };
  const device = await sharedDevice();
  assert.equal((await pipelineCost(device, dataset, { ...given, teach: false })).taught, undefined);
  return (await pipelineCost(device, dataset, { ...given, teach: true })).taught!;
}

Deno.test("train makes a ranked recommender of a dataset without SIDs, and goes on where it was stopped", async () => {
  await withCorpus(shop(), async (dir) => {
    const folder = join(dir, "run");
    const said = await train(dir, "--dry-run");
    assert.match(
      said.join("\n"),
      /60 items; \d+ targets to train on, .*\nFor this size: a decoder of width 64 .*gru4rec .*SIDs of 3/,
    );
    assert.match(said.at(-1)!, /^Takes about \d+s on .+, semantic IDs not counted, and [\d.]+ [MG]iB$/);
    assert.ok(!existsSync(folder));

    // Stopped while the first decoder is trained.
    const stopped = await train(dir, "", collector((label) => label.startsWith("sft")));
    assert.equal(stopped.at(-1), "Stopped. The same command goes on from here.");
    const has = (name: string) => existsSync(join(folder, `${name}.done`));
    assert.deepEqual(["earlier/sids", "earlier/decoder", "sids"].map(has), [true, false, false]);
    const early = { io: collector().io, words: ["--run", folder, "--history", "1"] };
    await assert.rejects(
      () => recommend.run(parseArgs(recommend, early.words)!.config, early.io) as Promise<void>,
      {
        name: "UserError",
        message: /Cannot recommend with .*run: its ranker is not there yet/,
      },
    );

    const lines = await train(dir);
    assert.equal(
      lines[0],
      `${folder} holds an earlier training: what it finished is kept. --force starts over.`,
    );
    const report: EvaluateReport = JSON.parse(
      await Deno.readTextFile(join(folder, "eval-test/metrics.json")),
    );
    assert.deepEqual(Object.keys(report.baselines!), ["popularity", "repeat recent", "transitions"]);
    const row = lines.find((line) => line.trim().startsWith("this recommender"))!;
    assert.ok(row.includes(report.ndcg[10].toFixed(4)), row);
    for (const name of ["earlier/items", "earlier/decoder", "sids", "items", "decoder", "rank"]) {
      assert.ok(filesIn(folder)!.includes(`${name}.done`), name);
    }

    const { io, lines: list } = collector();
    await recommend.run(
      parseArgs(recommend, ["--run", folder, "--history", "1,2", "--top", "3"])!.config,
      io,
    );
    assert.match(list.join("\n"), /\n +1 .*\n +2 .*\n +3 /);

    // Nothing is done again.
    const { mtime } = await Deno.stat(join(folder, "eval-test/metrics.json"));
    await train(dir);
    assert.deepEqual((await Deno.stat(join(folder, "eval-test/metrics.json"))).mtime, mtime);
    // What was trained may teach later.
    const told = (await train(dir, "--teach")).join("\n");
    assert.match(told, /8\. The decoder learns the order of the ranker/);
    const [, alone] = /: ([\d.]+) MiB for the training, rewards not counted/.exec(told)!;
    const counted = await taughtBytes(join(dir, "data")) / 2 ** 20;
    const share = counted / Number(alone);
    assert.ok(share > 0.9 && share < 1.5, `${counted} MiB counted before, with the ranker; ${alone} without`);
    assert.match(told, /this recommender .*\n +the decoder, taught by it +0\.\d{4} /);
    assert.deepEqual((await Deno.stat(join(folder, "eval-test/metrics.json"))).mtime, mtime);
    const { parent } = JSON.parse(await Deno.readTextFile(join(folder, "taught/manifest.json")));
    assert.equal(parent.run, join(folder, "decoder"));
    await assert.rejects(() => train(dir, "--seed 7"), /Cannot go on in .*"seed":42.*"seed":7.* Use --force/);
  });
});

Deno.test("train refuses data that it could not be honest about, and writes nothing", async () => {
  const corpus = shop();
  const { samples } = corpus;
  const refuses = (changed: Partial<typeof samples>, message: RegExp) =>
    withCorpus({ ...corpus, samples: { ...samples, ...changed } }, async (dir) => {
      await assert.rejects(() => train(dir), { name: "UserError", message });
      assert.ok(!existsSync(join(dir, "run")));
    });
  await refuses({ valid: [] }, /Cannot train on .*: its valid split is empty/);
  await refuses({ test: [] }, /its test split is empty/);
  await refuses({ train: samples.train.slice(0, 300) }, /it has 300 train targets, expected 400 or more/);
  // Users with one target each.
  const many = syntheticCorpus({ items: 60, users: 500 });
  const first = [...new Map(many.samples.train.toReversed().map((sample) => [sample.user, sample])).values()];
  const split = { split: "leave-one-out" as const, samples: { ...many.samples, train: first } };
  await withCorpus({ ...many, ...split }, async (dir) => {
    await assert.rejects(
      () => train(dir),
      /Cannot train on .*: \d+ of its \d+ train targets come after another/,
    );
  });
});

Deno.test("train keeps the index of items without texts, and says which of them it does not tell apart", async () => {
  const corpus = shop();
  const items = corpus.items.map(({ id }) => ({ id, title: "", categories: [] }));
  const sids = items.map((_, item) => [`<a_${Math.max(2, item)}>`, "<b_0>"]);
  await withCorpus({ ...corpus, items, sids }, async (dir) => {
    const said = (await train(dir, "--dry-run")).join("\n");
    assert.match(said, /3 of 60 items share their SIDs in the index of the dataset.*--sids make/);
    assert.doesNotMatch(said, /SIDs of 3 levels/);
    assert.match((await train(dir, "--dry-run --sids make")).join("\n"), /SIDs of 3 levels/);
  });
});
