// Every kind of run that a task trains, tiny and on one shop, serves every command that takes a run.
import assert from "node:assert/strict";
import { cpSync, existsSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { siteModel } from "../../tasks/_export/site_model.ts";
import { task as compare } from "../../tasks/compare.ts";
import { task as evaluate } from "../../tasks/evaluate.ts";
import { task as recommend } from "../../tasks/recommend.ts";
import { task as rl } from "../../tasks/rl.ts";
import { Device } from "../../kernels/gpu/device.ts";
import type { Dataset, Sample } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { catalogueOf } from "../../train/runs/catalogue/catalogue.ts";
import { openRun, openSidRun } from "../../train/runs/open_run.ts";
import { MemoryFiles } from "../../web/site/memory_files.ts";
import { openSiteModel } from "../../web/site/open_model.ts";
import { served } from "../tasks/_serve/tiny_service.ts";
import { genrec } from "../tasks/genrec.ts";
import { USERS } from "../tasks/seven_users.ts";
import { BASELINES, command, RUNS, shop } from "./every_run_shop.ts";

/** Histories of a few users. */
const USED = [[1, 3], [0], [2, 0, 1]];

const read = (...path: string[]) => Deno.readTextFile(join(...path));
const metricsOf = async (...folder: string[]) => JSON.parse(await read(...folder, "metrics.json"));

/** Metrics without times. */
function untimed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, part) => key === "secondsPerUser" ? undefined : part));
}

let device: Promise<Device> | undefined;

for (const { name, kind, writesSids, flags = [], isFirst = false } of RUNS) {
  const label = name.replaceAll("/", "-");
  const out = (part: string) => `eval/${label}/${part}`;
  const run = ["--run", name, ...flags, "--beams", "3"];
  const more = "--mixture 0.3 --baselines --format minionerec".split(" ");

  Deno.test(`${name}: evaluate reports the model, its mixture and baselines, and writes other projects' files`, async () => {
    const dir = await shop();
    const said = await command(dir, evaluate, [...run, ...more, "--out", out("whole")]);
    const whole = await metricsOf(dir, out("whole"));
    assert.deepEqual([whole.users, Object.keys(whole.hr), whole.lists], [
      USERS,
      ["1", "3"],
      writesSids ? "sids" : "items",
    ]);
    assert.deepEqual([whole.mixture.users, Object.keys(whole.baselines)], [
      USERS,
      ["popularity", "repeat recent", "transitions"],
    ]);
    assert.ok(said.some((line) => line.startsWith("model + 0.3 transitions")), said.join("\n"));
    const results = JSON.parse(await read(dir, out("whole"), "minionerec/final_result.json"));
    assert.equal(results.length, USERS);
  });

  if (isFirst) {
    Deno.test(`${name}: evaluate in shards, and resumed after it was killed, says the same`, async () => {
      const dir = await shop();
      const whole = untimed(await metricsOf(dir, out("whole")));
      const rows = await read(dir, out("whole"), "predictions.jsonl");
      for (const shard of ["0/2", "1/2"]) {
        await command(dir, evaluate, [...run, "--shard", shard, "--out", out(shard[0])]);
      }
      const shards = ["--merge", out("0"), "--merge", out("1")];
      await command(dir, evaluate, [...shards, ...more, "--out", out("merged")]);
      assert.deepEqual(untimed(await metricsOf(dir, out("merged"))), whole);
      assert.equal(await read(dir, out("merged"), "predictions.jsonl"), rows);

      // As one that was killed in its fourth row.
      const stopped = join(dir, out("stopped"));
      await Deno.mkdir(stopped);
      const third = rows.split("\n").slice(0, 3).join("\n").length + 1;
      await Deno.writeTextFile(join(stopped, "predictions.jsonl.partial"), rows.slice(0, third + 9));
      await Deno.copyFile(join(dir, out("whole"), "metrics.json"), join(stopped, "evaluation.json"));
      const resumed = await command(dir, evaluate, [...run, ...more, "--resume", "--out", out("stopped")]);
      assert.match(resumed[0], /^3 of 7 users are there from before/);
      assert.equal(await read(stopped, "predictions.jsonl"), rows);
      assert.deepEqual(untimed(await metricsOf(stopped)), whole);
    });
  }

  Deno.test(`${name}: recommend lists what it ranks, without what was seen, and of a category`, async () => {
    const dir = await shop();
    await Deno.writeTextFile(join(dir, "ann.jsonl"), '{"user": "ann", "history": [1, 3]}\n');
    const items = async (words: string[]) => {
      const lists = `lists-${label}.jsonl`;
      const places = ["--run", name, ...flags, "--file", "ann.jsonl", "--out", lists];
      await command(dir, recommend, [...places, ...words]);
      const { recommendations } = JSON.parse(await read(dir, lists));
      assert.ok(recommendations.every(({ sid }: { sid?: string }) => (sid !== undefined) === writesSids));
      return recommendations.map(({ item }: { item: number }) => item);
    };
    const unseen = await items(["--top", "4", "--exclude-seen"]);
    assert.deepEqual(unseen.toSorted(), [0, 2]);
    if (!isFirst) return;
    assert.deepEqual(await items(["--category", "Rulers"]), [2]);
    const lines = await command(dir, recommend, ["--run", name, ...flags, "--history", "1,3", "--top", "4"]);
    const expected = writesSids ? /scores are log-prob[^]*item +SID/ : /within the list[^]*item +score/;
    assert.match(lines.join("\n"), expected);
    const all = lines.slice(-4).map((line) => Number(line.trim().split(/ +/)[1]));
    assert.deepEqual(all.filter((item) => item % 2 === 0), unseen);
  });

  Deno.test(`${name}: openRun() tells what it is, and lists alike in batches and alone`, async () => {
    const dir = await shop();
    const [, data, , sids] = flags;
    const given = data ? { data: join(dir, data), sids: join(dir, sids) } : {};
    const recommender = await openRun(join(dir, name), { ...given, device: () => device ??= Device.open() });
    const { catalogue, provenance, settings, scoreUnit, search } = recommender;
    assert.deepEqual([provenance.kind, catalogue.items.length, catalogue.names.length], [kind, 4, 4]);
    assert.deepEqual([catalogue.sids, search, scoreUnit === "log-probability"].map(Boolean), [
      writesSids,
      writesSids,
      writesSids,
    ]);
    assert.equal(provenance.manifest === undefined, name === "hf");
    assert.equal("data" in settings, name !== "hf");
    const requests = [{ history: [1, 3] }, { history: [0], excluded: new Set([2, 3]) }];
    const options = { k: 2, allowed: [0, 1, 3] };
    const lists = await recommender.recommend(requests, options);
    const alone = [];
    for (const request of requests) alone.push(...await recommender.recommend([request], options));
    const itemsOf = (found: typeof lists) => found.map((list) => list.flatMap(({ items }) => items));
    assert.deepEqual(itemsOf(lists), itemsOf(alone));
    assert.ok(!itemsOf(lists)[0].includes(2));
    assert.deepEqual(itemsOf(lists)[1].toSorted(), [0, 1]);
    assert.ok(lists.every((list) => list.every(({ score }, i) => i === 0 || score <= list[i - 1].score)));
    // Two parts of the catalogue at a time, of which one is kept.
    const [ofOne, again] = await Promise.all([
      recommender.recommend(requests, { k: 2, allowed: [1] }),
      recommender.recommend(requests, options),
    ]);
    assert.deepEqual([itemsOf(ofOne), itemsOf(again)], [[[1], [1]], itemsOf(lists)]);
    assert.ok(await recommender.batchSize(options) >= 1);
    await assert.rejects(recommender.recommend(requests, { k: 0 }), RangeError);
    recommender.destroy();
  });
}

for (const { name, writesSids } of RUNS.filter(({ flags }) => flags === undefined)) {
  Deno.test(`${name}: a site lists as the run does, or there is none and why`, async () => {
    const dir = await shop();
    const path = join(dir, name);
    const opening = openSidRun(path, {}, "export");
    if (!writesSids) {
      const reason = /Cannot export .*: it is a (baseline|rank) run that writes no SIDs\. Expected/;
      return await assert.rejects(
        opening,
        (error: Error) => error instanceof UserError && reason.test(error.message),
      );
    }
    const open = () => device ??= Device.open();
    const { model, files } = await siteModel(await opening, "float32");
    const { recommender } = await openSiteModel(model, "model", new MemoryFiles("model", files), open);
    const run = await openRun(path, { device: open });
    const requests = USED.map((history) => ({ history }));
    const options = { k: 3, beams: 4 };
    assert.deepEqual(await recommender.recommend(requests, options), await run.recommend(requests, options));
    for (const opened of [recommender, run]) opened.destroy();
  });
}

for (const { name, writesSids, flags = [] } of RUNS.filter(({ isFirst }) => isFirst)) {
  Deno.test(`${name}: serve answers what the run lists, and what is near an item`, async () => {
    const dir = await shop();
    const [, data, , sids] = flags;
    const given = data ? { data: join(dir, data), sids: join(dir, sids) } : {};
    const run = await openRun(join(dir, name), { ...given, device: () => device ??= Device.open() });
    const lists = await run.recommend(USED.map((history) => ({ history })), { k: 3, beams: 4 });
    const vectors = await run.embeddings();
    run.destroy();
    const { ask, service } = await served({ run: join(dir, name), ...given, beams: 4 });
    const { status, body } = await ask("/recommend", { users: USED.map((history) => ({ history })), top: 3 });
    assert.deepEqual([status, body.scoreUnit === "log-probability"], [200, writesSids]);
    for (const [i, { recommendations }] of body.answers.entries()) {
      const found = recommendations.map(({ item, score }: { item: number; score: number }) => [item, score]);
      assert.deepEqual(
        found,
        lists[i].flatMap(({ items, score }) => items.map((item) => [item, score])).slice(0, 3),
      );
    }
    const by = vectors ? "item vectors" : writesSids ? "SID" : "bought together";
    assert.equal((await ask("/items/1")).body.neighbours.by, by);
    await service.withRun((opened) => Promise.resolve(opened.destroy()));
  });
}

/** Copies of the shop's dataset whose items are in another order, and one more. */
async function otherCatalogues(dir: string): Promise<void> {
  if (existsSync(join(dir, "data-grown"))) return;
  const items: Record<string, unknown> = JSON.parse(await read(dir, "data/item.json"));
  const index: Record<string, string[]> = JSON.parse(await read(dir, "data/index.json"));
  const others = {
    "data-moved": { items: { ...items, 1: items[3], 3: items[1] }, index },
    "data-grown": {
      items: { ...items, 4: { ...items[0] as object, title: "Stapler" } },
      index: { ...index, 4: ["<a_0>", "<b_2>"] },
    },
  };
  for (const [name, { items, index }] of Object.entries(others)) {
    cpSync(join(dir, "data"), join(dir, name), { recursive: true });
    await Deno.writeTextFile(join(dir, name, "item.json"), JSON.stringify(items));
    await Deno.remove(join(dir, name, "info.txt"));
    await Deno.writeTextFile(join(dir, name, "index.json"), JSON.stringify(index));
  }
}

for (const { name, writesSids } of RUNS.filter(({ flags }) => flags === undefined)) {
  Deno.test(`${name}: evaluate, recommend and rl refuse a dataset of other items, or in another order`, async () => {
    const dir = await shop();
    await otherCatalogues(dir);
    const refuses = async (words: Promise<unknown>, message: RegExp) =>
      await assert.rejects(
        words,
        (error: Error) => error instanceof UserError && message.test(error.message),
      );
    const moved =
      /on 4 items, the dataset has 4; they are the same in another order and differ first at item 1 .*, and the run's item 1 is item 3 .* here\. Use the dataset .*--data .*data, or train/;
    const grown = /on 4 items, the dataset has 5; the first new one is item 4 "Stapler"/;
    for (const [data, message] of [["data-moved", moved], ["data-grown", grown]] as const) {
      const words = ["--run", name, "--data", data];
      await refuses(command(dir, evaluate, [...words, "--out", "refused"]), message);
      await refuses(command(dir, recommend, [...words, "--history", "1"]), message);
      if (writesSids) {
        await refuses(command(dir, rl, [...words, "--out", "refused", "--max-steps", "1"]), message);
      }
    }
    assert.ok(!existsSync(join(dir, "refused")));
  });
}

/** The shop's dataset with ids, and the same with its items in another order: item `order[i]` of the one is item i there. */
async function withIds(dir: string, order: readonly number[]): Promise<{ plain: Dataset; moved: Dataset }> {
  const loaded = await loadDataset(join(dir, "data"));
  const plain = { ...loaded, items: loaded.items.map((item, i) => ({ ...item, id: `id-${i}` })) };
  const numbers = (items: readonly number[]) => items.map((item) => order.indexOf(item));
  const rows = (samples: Sample[]) =>
    samples.map((sample) => ({
      ...sample,
      history: numbers(sample.history),
      target: order.indexOf(sample.target),
    }));
  const { train, valid, test } = plain.samples;
  const moved = {
    ...plain,
    items: order.map((item) => plain.items[item]),
    samples: { train: rows(train), valid: rows(valid), test: rows(test) },
    histories: plain.histories.map((history) => ({ ...history, items: numbers(history.items) })),
    ...plain.sids && { sids: order.map((item) => plain.sids![item]) },
  };
  return { plain, moved };
}

for (
  const name of ["run", "etegrec/joint", "tiger", "sasrec", "transitions", "rank", "run/checkpoints/step-1"]
) {
  Deno.test(`${name}: a dataset in another order is taken by its ids`, async () => {
    const dir = await shop();
    const { plain, moved } = await withIds(dir, [2, 0, 3, 1]);
    // The run of a dataset with ids.
    const copy = join(dir, "ids", name.split("/")[0]);
    const root = join(copy, ...name === "etegrec/joint" ? ["joint"] : []);
    cpSync(join(dir, name.split("/")[0]), copy, { recursive: true });
    // A ranker keeps the runs that it ranks.
    for (
      const folder of [
        root,
        ...name === "rank" ? ["sources/1", "sources/2"].map((part) => join(root, part)) : [],
      ]
    ) {
      const known = JSON.parse(await read(folder, "catalogue.json"));
      await Deno.writeTextFile(
        join(folder, "catalogue.json"),
        JSON.stringify({ ...known, ids: catalogueOf(plain).ids }),
      );
    }
    const lists = async (dataset: Dataset, history: number[]) => {
      const ids = dataset.items.map(({ id }) => id!);
      const recommender = await openRun(join(dir, "ids", name), {
        dataset,
        device: () => device ??= Device.open(),
      });
      const [list] = await recommender.recommend(
        [{
          history: history.map((item) => ids.indexOf(`id-${item}`)),
          excluded: new Set([ids.indexOf("id-1")]),
        }],
        { k: 3 },
      );
      const scores = recommender.scoreItems
        ? Object.fromEntries(
          [...(await Array.fromAsync(recommender.scoreItems([[ids.indexOf("id-3")]])))[0]].map((
            score,
            item,
          ) => [ids[item], score]),
        )
        : undefined;
      const vectors = await recommender.embeddings();
      const first = vectors?.data.slice(
        ids.indexOf("id-2") * vectors.dim,
        (ids.indexOf("id-2") + 1) * vectors.dim,
      );
      recommender.destroy();
      return { items: list.flatMap(({ items }) => items.map((item) => ids[item])), scores, first };
    };
    for (const history of [[1, 3], [0]]) {
      assert.deepEqual(await lists(moved, history), await lists(plain, history));
    }
  });
}

Deno.test("a run's index.json that was put in another order is refused, and --sids of a checkpoint folder too", async () => {
  const dir = await shop();
  const index: Record<string, string[]> = JSON.parse(await read(dir, "run/index.json"));
  cpSync(join(dir, "run"), join(dir, "run-moved"), { recursive: true });
  const moved = JSON.stringify({ ...index, 0: index[1], 1: index[0] });
  await Deno.writeTextFile(join(dir, "run-moved/index.json"), moved);
  await Deno.writeTextFile(join(dir, "moved.json"), moved);
  const sidOf = (item: number) => index[item].join("");
  for (
    const words of [
      ["--run", "run-moved"],
      ["--run", "run/checkpoints/step-1", "--sids", "moved.json"],
    ]
  ) {
    await assert.rejects(
      command(dir, evaluate, [...words, "--out", "refused"]),
      (error: Error) =>
        error instanceof UserError && /4; they differ first at item 0, which has /.test(error.message) &&
        error.message.includes(sidOf(1)),
    );
  }
});

Deno.test("baseline and etegrec tell TensorBoard of each epoch and validation", async () => {
  const dir = await shop();
  for (const name of ["sasrec", "gru4rec", "caser", "hstu", "tiger", "etegrec/joint"]) {
    const folder = join(dir, name, "tensorboard");
    const [file, ...others] = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.ok(file.startsWith("events.out.tfevents.") && others.length === 0, name);
    const events = new TextDecoder("latin1").decode(await Deno.readFile(join(folder, file)));
    for (const tag of ["train/loss", "train/learningRate", "valid/ndcg10"]) {
      assert.ok(events.includes(tag), `${name}: ${tag}`);
    }
  }
});

Deno.test("baseline --evaluate and evaluate --run give the same rows and figures", async () => {
  const dir = await shop();
  for (const model of Object.keys(BASELINES)) {
    const [own, again] = [join(dir, model, "eval-test"), join(dir, "eval", model, "whole")];
    assert.equal(await read(own, "predictions.jsonl"), await read(again, "predictions.jsonl"), model);
    const { mixture: _, baselines: __, ...figures } = await metricsOf(again);
    assert.deepEqual(untimed(await metricsOf(own)), untimed(figures), model);
    assert.equal(figures.model, model);
  }
});

Deno.test("compare tests every kind of run against another", async () => {
  const dir = await shop();
  const groups = RUNS.flatMap(({ name }) => {
    const label = name.replaceAll("/", "-");
    return existsSync(join(dir, "eval", label))
      ? ["--group", `${label}=${join(dir, "eval", label, "whole")}`]
      : [];
  });
  assert.equal(groups.length, 2 * RUNS.length, "the tests above wrote the evaluations");
  const words = ["--baseline", "popularity", "--ks", "1,3", "--out", "compare"];
  await command(dir, compare, [...groups, ...words]);
  const { systems } = JSON.parse(await read(dir, "compare/compare.json"));
  assert.deepEqual(systems.length, RUNS.length);
});

Deno.test("evaluate and recommend serve a run of a baseline through the command line, --json and --shards too", async () => {
  const dir = await shop();
  const words = "evaluate --run sasrec --beams 3 --shards 2 --mixture 0.3 --out processes --json".split(" ");
  const evaluated = await genrec(dir, words);
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const { users, model, mixture } = JSON.parse(evaluated.stdout);
  assert.deepEqual([users, model, mixture.weight], [USERS, "sasrec", 0.3]);
  const listed = await genrec(dir, "recommend --run sasrec --history 1,3 --exclude-seen --json".split(" "));
  assert.equal(listed.code, 0, listed.stderr);
  const { history, recommendations } = JSON.parse(listed.stdout);
  assert.deepEqual([history.length, recommendations.length, Object.keys(recommendations[0])], [
    2,
    2,
    ["item", "title", "score"],
  ]);
});

Deno.test("openRun() says of other folders what they are and what there is", async () => {
  const dir = await shop();
  await Deno.mkdir(join(dir, "sids"), { recursive: true });
  await Deno.writeTextFile(join(dir, "sids/sid.json"), "{}");
  await Deno.mkdir(join(dir, "odd"), { recursive: true });
  await Deno.writeTextFile(join(dir, "odd/config.json"), '{"colour": "red"}');
  const cases: [name: string, message: RegExp, flags?: string[]][] = [
    [
      "data",
      /data as a run: it has no config\.json, but index\.json, .*Expected .*sasrec.*; a run directory of `genrec sft`/,
    ],
    ["odd", /odd as a run: its config\.json has colour\. Expected/],
    [
      "sids",
      /sids: it holds SIDs of `genrec sid`, which name items and rank none\. Train a model .*genrec sft/,
    ],
    ["etegrec/tokenizer", /tokenizer stage of `genrec etegrec`, which codes items\. Name a stage after it/],
    ["text.npy", /text\.npy: it is a file\. Name the folder/],
    ["nowhere", /nowhere: there is no such folder/],
    ["sasrec", /Cannot use --unconstrained with .*sasrec: its model scores items/, ["--unconstrained"]],
    ["sasrec", /Cannot use --normalisation with .*sasrec/, ["--normalisation", "vocab"]],
    ["sasrec", /Cannot use --temperature, --top-k with .*sasrec: it scores items/, [
      ...["--temperature", "1", "--top-k", "3"],
    ]],
    ["rank", /Cannot use --max-new-tokens with .*rank: it scores items.* Leave it out/, [
      "--max-new-tokens",
      "9",
    ]],
    ["tiger", /Cannot use --temperature with .*tiger: it is asked for task next-item/, [
      "--temperature",
      "1",
    ]],
    ["sasrec", /checkpoint step-9 of run .*sasrec: it has step-1/, ["--checkpoint", "step-9"]],
    ["sasrec", /sasrec with synthetic: it was trained on 4 items, the dataset has 600/, [
      "--data",
      "synthetic",
    ]],
    ["run", /--unconstrained: its model has no table for each level/, ["--unconstrained"]],
  ];
  for (const [name, message, flags = []] of cases) {
    const words = ["--run", name, ...flags, "--out", "refused"];
    await assert.rejects(command(dir, evaluate, words), (error: Error) => {
      assert.ok(error instanceof UserError, `${error.stack}`);
      assert.match(error.message, message);
      return true;
    });
    assert.ok(!existsSync(join(dir, "refused")), basename(name));
  }
  const further = ["--run", "sasrec", "--out", "rl-of-items", "--max-steps", "1"];
  await assert.rejects(
    command(dir, rl, further),
    (error: Error) =>
      error instanceof UserError && /sasrec: it is a baseline run that writes no SIDs/.test(error.message),
  );
});
