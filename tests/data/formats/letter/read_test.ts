import { deepStrictEqual, doesNotMatch, ok, rejects, strictEqual } from "node:assert/strict";
import { letterFormat } from "../../../../data/formats/letter/read.ts";
import { loadDataset } from "../../../../data/formats/load.ts";
import { type Files, minionerecFiles, withFiles } from "../minionerec/fixture.ts";
import { realData } from "../../downloaded.ts";

const files: Files = {
  "inter.json": `{"0": [0, 1, 2, 3], "7": [3, 2, 0]}`,
  "index.json": `{"0": ["<a_0>"], "1": ["<a_1>"], "2": ["<a_2>"], "3": ["<a_3>"]}`,
};

Deno.test("letter holds out the last two items of each user", async () => {
  await withFiles(files, async (dir) => {
    ok(await letterFormat.recognises(dir));
    const dataset = await loadDataset(dir);
    deepStrictEqual(dataset.samples, {
      train: [{ user: "0", history: [0], target: 1 }],
      valid: [{ user: "0", history: [0, 1], target: 2 }, { user: "7", history: [3], target: 2 }],
      test: [{ user: "0", history: [0, 1, 2], target: 3 }, { user: "7", history: [3, 2], target: 0 }],
    });
    deepStrictEqual(dataset.histories, [{ user: "0", items: [0, 1] }, { user: "7", items: [3] }]);
    strictEqual(dataset.items[2].title, "item 2");
    // The files do not say whose data they hold, and anyone may write such files.
    doesNotMatch(`${dataset.source} ${dataset.license}`, /Amazon|McAuley|research/);
  });
});

Deno.test("letter takes titles from item.json", async () => {
  const titled = { ...files, "Toys.item.json": minionerecFiles()["item.json"] };
  await withFiles(titled, async (dir) => strictEqual((await loadDataset(dir)).items[3].title, "NA"));
});

Deno.test("letter leaves directories with CSV splits to others", async () => {
  await withFiles({ ...files, "train/toys.csv": "" }, async (dir) => ok(!await letterFormat.recognises(dir)));
  await withFiles({ "index.json": "{}" }, async (dir) => ok(!await letterFormat.recognises(dir)));
});

Deno.test("letter names the user and place of a bad value", async () => {
  const cases: [Files, RegExp][] = [
    [{ "inter.json": `{"7": [0, 1, 9]}` }, /at \["7"\]\[2\]: expected an item number from 0 to 3, found 9/],
    [{ "inter.json": `{"7": [0, 1.5, 2]}` }, /at \["7"\]\[1\]: expected an item number, found 1\.5/],
    [
      { "inter.json": `{"7": [0, 1]}` },
      /at \["7"\]: expected at least 3 items .* found \[0,1\]\. Drop the user/,
    ],
    [{ "inter.json": `{}` }, /expected at least one user, found none/],
    [{ "index.json": `{"0": ["<a_0>"], "2": ["<a_1>"]}` }, /found no key "1"/],
  ];
  for (const [change, message] of cases) {
    await withFiles({ ...files, ...change }, async (dir) => await rejects(letterFormat.read(dir), message));
  }
});

const dir = realData("letter-instruments");
Deno.test({
  name: "letter reads the published Musical Instruments data",
  ignore: dir === undefined,
  async fn() {
    const { items, samples, sids } = await loadDataset(dir!);
    deepStrictEqual([items.length, samples.valid.length, samples.test.length], [9922, 24772, 24772]);
    // Every interaction is a target but each user's first.
    strictEqual(samples.train.length + 2 * 24772, 206153 - 24772);
    ok(sids!.every((sid) => sid.length === 4));
  },
});
