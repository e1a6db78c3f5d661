import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { checkDataset } from "../../../data/check/check.ts";
import { splits } from "../../../data/dataset.ts";
import type { EtlConfig } from "../../../data/etl/config.ts";
import { loadDataset } from "../../../data/formats/load.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";
import { realData } from "../downloaded.ts";
import { build, jsonLines, readTables, rowsOf, WORKED_EXAMPLE, WORKED_FLAGS } from "./fixture.ts";

Deno.test("buildDataset() gives the worked example: the 2-core of seven reviews is two users and two items", async () => {
  await withFiles(WORKED_EXAMPLE, async (dir) => {
    const { manifest, lines } = await build(dir, WORKED_FLAGS);
    const { users, items, interactions, samples } = await readTables(dir);
    assert.deepEqual([users.id, items.id], [["u1", "u2"], ["A", "B"]]);
    assert.deepEqual([interactions.user, interactions.item], [[0, 0, 1, 1], [0, 1, 0, 1]]);
    assert.deepEqual(rowsOf(samples.train), [[0, [0], 1]]);
    assert.deepEqual(rowsOf(samples.valid), []);
    assert.deepEqual(rowsOf(samples.test), [[1, [0], 1]]);
    assert.deepEqual([samples.train.time, samples.test.time], [[2], [4]]);
    assert.deepEqual(lines, ["read: 7 reviews, 3 users, 4 items", "2-core: 4 reviews, 2 users, 2 items"]);
    const { train, valid, test, density, meanHistory } = manifest.statistics;
    assert.deepEqual([train, valid, test, density, meanHistory], [1, 0, 1, 1, 1]);
  });
});

Deno.test("buildDataset() writes what the dataset check finds sound and training loads", async () => {
  await withFiles(WORKED_EXAMPLE, async (dir) => {
    await build(dir, { ...WORKED_FLAGS, name: "worked" });
    const report = await checkDataset(`${dir}/out`);
    assert.deepEqual([report.problems, report.notes], [[], ["no valid samples"]]);
    const dataset = await loadDataset(`${dir}/out`);
    assert.deepEqual([dataset.name, dataset.items[0].title], ["worked", "Item A"]);
    assert.deepEqual(dataset.samples.train.map(({ history, target }) => [history, target]), [[[0], 1]]);
  });
});

Deno.test("buildDataset() writes the same bytes again", async () => {
  await withFiles(WORKED_EXAMPLE, async (dir) => {
    const first = (await build(dir, WORKED_FLAGS)).manifest;
    const again = (await build(dir, { ...WORKED_FLAGS, force: true })).manifest;
    assert.deepEqual(again, first);
  });
});

Deno.test("buildDataset() replaces a dataset with force, and never what is none of ours", async () => {
  await withFiles(WORKED_EXAMPLE, async (dir) => {
    await build(dir, WORKED_FLAGS);
    await assert.rejects(build(dir, WORKED_FLAGS), {
      name: "UserError",
      message: `Cannot write ${dir}/out: it holds a dataset. Replace it with --force, or name another --out`,
    });
  });
  for (const file of ["out/thesis.tex", "out/dataset.json"]) {
    await withFiles({ ...WORKED_EXAMPLE, [file]: '{"format":"other"}' }, async (dir) => {
      await assert.rejects(
        build(dir, { ...WORKED_FLAGS, force: true }),
        /: it holds files already\. Remove it/,
      );
      assert.equal(await Deno.readTextFile(`${dir}/${file}`), '{"format":"other"}');
    });
  }
});

Deno.test("buildDataset() takes user and item thresholds for themselves", async () => {
  await withFiles(WORKED_EXAMPLE, async (dir) => {
    // Three reviews: u2 alone, whatever its items have.
    await build(dir, { ...WORKED_FLAGS, userK: 3, itemK: 1 });
    assert.deepEqual((await readTables(dir)).users.id, ["u2"]);
    // Two reviews an item: D goes, u3 stays with one.
    await build(dir, { ...WORKED_FLAGS, userK: 1, itemK: 2, force: true });
    const { users, items } = await readTables(dir);
    assert.deepEqual([users.id, items.id], [["u1", "u2", "u3"], ["A", "B", "C"]]);
  });
});

Deno.test("buildDataset() leave-one-out trains on all prefixes but the last two", async () => {
  const times = [1, 2, 3, 4, 5].map((time) => `u,${String.fromCharCode(64 + time)},${time}\n`).join("");
  await withFiles({ "log.csv": `user,item,time\n${times}v,A,1\nv,B,2\n` }, async (dir) => {
    const flags = {
      dataset: "generic",
      reviews: ["log.csv"],
      user: "user",
      item: "item",
      userK: 1,
      itemK: 1,
    };
    await build(dir, { ...flags, time: "time", split: "leave-one-out", maxHistory: 2 });
    const { samples } = await readTables(dir);
    assert.deepEqual(rowsOf(samples.train), [[0, [0], 1], [0, [0, 1], 2], [1, [0], 1]]);
    assert.deepEqual(rowsOf(samples.valid), [[0, [1, 2], 3]]);
    assert.deepEqual(rowsOf(samples.test), [[0, [2, 3], 4]]);
    // Without times the order of the log is the order of events.
    await build(dir, { ...flags, split: "leave-one-out", force: true });
    const untimed = await readTables(dir);
    assert.deepEqual(untimed.interactions.time, Array(7).fill(null));
    assert.deepEqual(rowsOf(untimed.samples.test), [[0, [0, 1, 2, 3], 4]]);
  });
});

const ONE_ITEM = {
  "reviews.json": jsonLines(
    [1, 2, 3].map((time) => ({ reviewerID: "u", asin: "A", overall: 5, unixReviewTime: time })),
  ),
};
const ONE_FLAGS = { ...WORKED_FLAGS, userK: 1, itemK: 1 };

Deno.test("buildDataset() takes the last line with a title where an item has several", async () => {
  const meta = [
    { asin: "A", title: "Old", brand: "One" },
    { asin: "A", title: "New", brand: "Two" },
    { asin: "A", brand: "Three" },
  ];
  await withFiles({ ...ONE_ITEM, "meta.json": jsonLines(meta) }, async (dir) => {
    await build(dir, ONE_FLAGS);
    const { items } = await readTables(dir);
    assert.deepEqual([items.title, items.brand], [["New"], ["Two"]]);
  });
});

Deno.test("buildDataset() with the title filter off keeps items without a title or a line under their ids", async () => {
  await withFiles(
    { ...WORKED_EXAMPLE, "meta.json": jsonLines([{ asin: "A", brand: "Acme" }]) },
    async (dir) => {
      await build(dir, { ...WORKED_FLAGS, titleFilter: "off" });
      const { items } = await readTables(dir);
      assert.deepEqual([items.title, items.brand], [["A", "B"], ["Acme", null]]);
    },
  );
});

Deno.test("buildDataset() leaves out reviews of items without a title", async () => {
  const meta = ["A", "B"].map((asin) => ({ asin, title: `Item ${asin}` }));
  await withFiles({ ...WORKED_EXAMPLE, "meta.json": jsonLines(meta) }, async (dir) => {
    const { lines } = await build(dir, { ...WORKED_FLAGS, userK: 1, itemK: 1 });
    assert.equal(lines.at(-1), "1-core: 4 reviews, 2 users, 2 items");
  });
});

const PARITY_META = {
  asin: "A",
  title: "A &eacute;&amp;  <b>b</b>",
  description: ["It's <i>blue</i>", "&quot;x&quot;"],
  category: ["Tools"],
};

Deno.test("buildDataset() parity switches change titles, descriptions, categories and the window's end", async () => {
  await withFiles({ ...ONE_ITEM, "meta.json": jsonLines([PARITY_META]) }, async (dir) => {
    await build(dir, ONE_FLAGS);
    const ours = (await readTables(dir)).items;
    assert.deepEqual(
      [ours.title, ours.description, ours.categories],
      [["A é& b"], [`It's blue "x"`], [["Tools"]]],
    );
    const { manifest } = await build(dir, {
      ...ONE_FLAGS,
      force: true,
      parity: ["two-entities", "printed-lists", "categories-key"],
    });
    const theirs = (await readTables(dir)).items;
    assert.deepEqual(
      [theirs.title, theirs.description, theirs.categories],
      [["A &eacute;&  <b>b</b>"], [`["It's blue", '"x"']`], [[]]],
    );
    assert.deepEqual(manifest.parity, ["two-entities", "printed-lists", "categories-key"]);
  });
  const atEnd = [1, 2, 3, 86400].map((time) => ({
    reviewerID: "u",
    asin: "A",
    overall: 5,
    unixReviewTime: time,
  }));
  await withFiles(
    { "reviews.json": jsonLines(atEnd), "meta.json": jsonLines([PARITY_META]) },
    async (dir) => {
      const flags = { ...ONE_FLAGS, end: "1970-01-02" };
      assert.equal((await build(dir, flags)).manifest.statistics.interactions, 3);
      const inclusive = await build(dir, { ...flags, parity: ["end-inclusive"], force: true });
      assert.equal(inclusive.manifest.statistics.interactions, 4);
    },
  );
});

Deno.test("buildDataset() --context gives each sample the token of where its target was bought", async () => {
  const places = ["search", "", "Home page", "[MY_FEED]", "browse-2"];
  const log = "u,i,t,where\n" +
    places.map((place, n) => `ann,${n % 3},2024-01-0${n + 1},${place}\n`).join("");
  const flags: Partial<EtlConfig> = {
    ...{ dataset: "generic", reviews: ["log.csv"], user: "u", item: "i", time: "t", context: "where" },
    ...{ userK: 1, itemK: 1, titleFilter: "off", split: "leave-one-out" },
  };
  await withFiles({ "log.csv": log }, async (dir) => {
    await build(dir, flags);
    const { samples } = await readTables(dir);
    assert.deepEqual(splits.flatMap((split) => samples[split].attributes), [
      null,
      '{"e_token":"[CTX_HOME_PAGE]"}',
      '{"e_token":"[MY_FEED]"}',
      '{"e_token":"[CTX_BROWSE_2]"}',
    ]);
    const { samples: { test } } = await loadDataset(`${dir}/out`);
    assert.deepEqual(test.map(({ contextToken }) => contextToken), ["[CTX_BROWSE_2]"]);
  });
  await withFiles({ "log.csv": log.replace("search", "поиск") }, async (dir) => {
    await assert.rejects(
      build(dir, flags),
      /log\.csv line 2: no name of a context in where, such as search or home page/,
    );
  });
});

Deno.test("buildDataset() --gpr gives the user token, item type and value of the spec's figures", async () => {
  const reviews = [..."AAAAAAAABBBBB"].map((asin, n) => ({
    reviewerID: "u",
    asin,
    overall: n < 8 ? 5 : 3,
    unixReviewTime: n,
  }));
  const meta = [{ asin: "A", title: "Tape A", price: "$12.50" }, {
    asin: "B",
    title: "Tape B",
    brand: "Acme",
    price: "$1 - $2",
  }];
  await withFiles({ "reviews.json": jsonLines(reviews), "meta.json": jsonLines(meta) }, async (dir) => {
    await build(dir, { ...ONE_FLAGS, gpr: true });
    const { items, users } = await readTables(dir);
    // Raw values 4.799915 and 1.791759, min-max scaled; mean rating 55 / 13 = 4.23.
    assert.deepEqual(items.attributes.map((text) => JSON.parse(text!)), [
      { item_type: "O", final_value: 1 },
      { item_type: "I", final_value: 0 },
    ]);
    assert.deepEqual(users.attributes, ['{"user_token":"[USER_MID_RATING]"}']);
  });
});

Deno.test("buildDataset() reads globs of gzip files in order of name and hashes each", async () => {
  const lines = WORKED_EXAMPLE["reviews.json"].split(/(?<=\n)/);
  await withFiles({ "meta.json": WORKED_EXAMPLE["meta.json"] }, async (dir) => {
    await Deno.writeFile(`${dir}/part-2.json.gz`, gzipSync(lines.slice(3).join("")));
    await Deno.writeFile(`${dir}/part-1.json.gz`, gzipSync(lines.slice(0, 3).join("")));
    const { manifest } = await build(dir, { ...WORKED_FLAGS, reviews: ["part-*.json.gz"] });
    assert.deepEqual((await readTables(dir)).users.id, ["u1", "u2"]);
    assert.deepEqual(
      Object.keys(manifest.inputs),
      ["part-1.json.gz", "part-2.json.gz", "meta.json"].map((name) => `${dir}/${name}`),
    );
    for (const hash of Object.values(manifest.inputs)) assert.match(hash, /^[0-9a-f]{64}$/);
  });
});

Deno.test("buildDataset() reads the Latin-1 titles of old MovieLens files", async () => {
  await withFiles({ "ratings.dat": "1::7::5::100\n1::7::4::101\n1::7::4::102\n" }, async (dir) => {
    const title = "7::Les Misérables (1995)::Drama\n";
    await Deno.writeFile(`${dir}/movies.dat`, Uint8Array.from(title, (letter) => letter.charCodeAt(0)));
    await build(dir, { ...ONE_FLAGS, dataset: "movielens", reviews: ["ratings.dat"], meta: ["movies.dat"] });
    assert.deepEqual((await readTables(dir)).items.title, ["Les Misérables (1995)"]);
  });
});

const published = realData("minionerec-industrial");

Deno.test({
  name: "buildDataset() makes MiniOneRec's published ids and splits again from the reviews behind them",
  ignore: published === undefined,
  async fn() {
    const { samples } = await loadDataset(published!);
    // The place of a sample among all is its target's time; what comes before a user's first sample is older than all.
    const byUser = new Map<string, { item: number; time: number }[]>();
    let place = 0;
    for (const split of splits) {
      for (const { user, history, target } of samples[split]) {
        place++;
        const walk = byUser.get(user) ?? [{ item: history[0], time: 0 }];
        byUser.set(user, [...walk, { item: target, time: place }]);
      }
    }
    const users = [...byUser.keys()].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
    const log = users.flatMap((user) =>
      byUser.get(user)!.map(({ item, time }) => `${user},i${item},${time}\n`)
    );
    await withFiles({ "log.csv": "user,item,time\n" + log.join("") }, async (dir) => {
      const columns = { user: "user", item: "item", time: "time", timeUnit: "seconds" } as const;
      await build(dir, { dataset: "generic", reviews: ["log.csv"], ...columns });
      const built = await readTables(dir);
      assert.deepEqual(built.items.id.map((id) => Number(id.slice(1))), [...built.items.item]);
      for (const split of splits) {
        const wanted = samples[split].map((
          { user, history, target },
        ) => [Number(user.slice(1)), history, target]);
        assert.deepEqual(rowsOf(built.samples[split]), wanted, split);
      }
    });
  },
});
