import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { checkDataset } from "../../../data/check/check.ts";
import { MOST_PROBLEMS } from "../../../data/check/stream.ts";
import { genrecWriter as writer } from "../../../data/formats/genrec/write.ts";
import type { Corpus } from "../../../data/corpus.ts";
import { toColumns } from "../../../data/interactions.ts";
import { trickyCorpus } from "../convert/tricky_corpus.ts";
import { written } from "../convert/written.ts";
import { minionerecFiles, withFiles } from "../formats/minionerec/fixture.ts";
import { realData } from "../downloaded.ts";

/** The problems of a corpus, written as our format. */
async function problemsOf(change: (corpus: Corpus) => void): Promise<string[]> {
  const corpus = trickyCorpus();
  change(corpus);
  let found: string[] = [];
  await written(corpus, writer, async (dir) => {
    found = (await checkDataset(dir)).problems.map((text) => text.replaceAll(`${dir}/`, ""));
  });
  return found;
}

Deno.test("checkDataset() counts a sound dataset", async () => {
  await written(trickyCorpus(), writer, async (dir) => {
    const { problems, problemCount, notes, dataset } = await checkDataset(dir);
    deepStrictEqual([problems, problemCount], [[], 0]);
    deepStrictEqual(notes, ["SIDs have 2 or 3 tokens"]);
    const { historyQuantiles, sids, ...counts } = dataset!.statistics;
    deepStrictEqual(counts, {
      users: 3,
      items: 5,
      interactions: 8,
      train: 2,
      valid: 1,
      test: 2,
      density: 8 / 15,
      sameSecond: 0,
      repeatedInteractions: 0,
      period: { from: "1970-01-01T00:00:50.000Z", to: "1970-01-01T00:15:00.000Z" },
      // Histories of 1, 2, 1, 2 and 3 items.
      meanHistory: 1.8,
      // Train samples hold items 0 and 1, so the valid target 3 and the test target 4 are cold, the test target 1 is not.
      coldTestItems: 1,
      coldTargets: { valid: 1, test: 0.5 },
      repeatedTargets: { train: 0.5, valid: 0, test: 0 },
      // The one item of the top tenth is item 0: of two train targets as many as item 1, and first.
      top1PercentTargets: { train: 0.5, valid: 0, test: 0 },
      top10PercentTargets: { train: 0.5, valid: 0, test: 0 },
      unusedItems: 0,
      untitledItems: 0,
    });
    deepStrictEqual(historyQuantiles, { min: 1, q25: 1, median: 2, q75: 2, q90: 2, max: 3 });
    deepStrictEqual(sids, {
      distinct: 5,
      // a_0, a_2, a_10, b_0, b_1, b_7, c_1, c_2
      tokens: 8,
      lengths: { 2: 3, 3: 2 },
      collidingItems: 0,
      largestGroup: 1,
    });
  });
});

const faults: [name: string, change: (corpus: Corpus) => void, problem: RegExp][] = [
  [
    "doubled item ids",
    ({ items }) => items[3].id = "B1",
    /^Two items have the same id: "B1" of items 1 and 3$/,
  ],
  [
    "doubled user ids",
    ({ users }) => users[2].id = "u-a",
    /^Two users have the same id: "u-a" of users 0 and 2$/,
  ],
  ["an empty title", ({ items }) => items[3].title = " ", /^An item has no title: item 3$/],
  ["a negative price", ({ items }) => items[4].price = -1, /^A price is not a number from 0: item 4: -1$/],
  [
    "a history longer than stated",
    (corpus) => corpus.maxHistory = 2,
    /^A history is longer than the 2 items stated: test row 1: 3$/,
  ],
  [
    "an empty history",
    ({ samples }) => samples.train[0].history = [],
    /^A sample has no history: train row 0$/,
  ],
  [
    "a history that the user does not have",
    ({ samples }) => samples.valid[0].history = [4],
    /^A history and its target are no stretch of the user's interactions: valid row 0, user 1$/,
  ],
  [
    "one purchase in train and test",
    ({ samples }) => samples.test.push({ ...samples.train[0], time: 950 }),
    /^Two samples predict the same purchase: test row 2, user 0$/,
  ],
  [
    "a train target after the first test target",
    ({ samples }) => samples.train.push(samples.test.pop()!),
    /^A train target is later than the first valid target: train row 2$/,
  ],
  [
    "a user's train target after its test target",
    ({ samples }) => {
      const rows = [...samples.train, ...samples.valid, ...samples.test];
      for (const row of rows) delete row.time;
      samples.test.push(samples.train.shift()!);
    },
    /^A train target was bought after the same user's test target: test row 2, user 0$/,
  ],
  [
    "samples out of order",
    ({ samples }) => samples.test.reverse(),
    /^Samples are not in order of time: test row 1$/,
  ],
  [
    "a time that is not the purchase's",
    ({ samples }) => samples.test[1].time = 901,
    /^A sample's time is not that of the purchase: test row 1, user 0: 901, not 900$/,
  ],
  [
    "a log out of order",
    (corpus) => corpus.interactions.times![3] = 1,
    /^A user's interactions are not in order of time: row 3, user 0$/,
  ],
  [
    "users out of order",
    (corpus) => corpus.interactions = toColumns([{ user: 1, item: 0 }, { user: 0, item: 0 }]),
    /^Interactions are not ordered by user: row 1$/,
  ],
  [
    "leave-one-out that holds out another item",
    (corpus) => {
      corpus.split = "leave-one-out";
      const { valid, test } = corpus.samples;
      [valid[0], test[0]] = [test[0], valid[0]];
    },
    /^A test target is not its user's last purchase: user 1$/,
  ],
  [
    "a SID that begins another",
    (corpus) => corpus.sids![0] = ["<a_10>", "<b_7>"],
    /^A SID is the beginning of another: 2 times, first <a_10><b_7> of item 0, <a_10><b_7><c_1> of item 1$/,
  ],
  [
    "a token on the wrong level",
    (corpus) => corpus.sids![0] = ["<b_0>", "<a_7>"],
    /^A token is not of the level where it stands: 2 times, first item 0: <b_0> as token 1$/,
  ],
];
for (const [name, change, problem] of faults) {
  Deno.test(`checkDataset() finds ${name}`, async () => {
    const problems = await problemsOf(change);
    ok(problems.some((text) => problem.test(text)), problems.join("\n"));
  });
}

Deno.test("checkDataset() compares the files with the hashes and counts of dataset.json", async () => {
  await written(trickyCorpus(), writer, async (dir) => {
    await Deno.writeTextFile(`${dir}/index.json`, (await Deno.readTextFile(`${dir}/index.json`)) + "\n");
    const manifest = JSON.parse(await Deno.readTextFile(`${dir}/dataset.json`));
    manifest.statistics.users = 4;
    manifest.files["gone.parquet"] = "0".repeat(64);
    await Deno.writeTextFile(`${dir}/dataset.json`, JSON.stringify(manifest));
    const { problems } = await checkDataset(dir);
    strictEqual(problems.length, 3);
    ok(
      /index\.json: expected the SHA-256 [0-9a-f]{64} of dataset\.json, found/.test(problems[0]),
      problems[0],
    );
    ok(
      /gone\.parquet: expected the file that dataset\.json lists, found nothing/.test(problems[1]),
      problems[1],
    );
    ok(/\["statistics"\]\["users"\]: expected 3 as counted, found 4/.test(problems[2]), problems[2]);
  });
});

Deno.test("checkDataset() counts every bad row of a foreign file, lists the first, and what is wrong with the whole", async () => {
  const files = minionerecFiles();
  const [header, ...rows] = files["train.csv"].trimEnd().split("\n");
  const bad = Array.from({ length: 30 }, () => rows[0].replace("[0],1", "[9],1"));
  const broken = {
    "train.csv": [header, ...bad, ...rows, ""].join("\n"),
    "item.json": files["item.json"].replace('"title":"NA"', '"title":""'),
  };
  await withFiles({ ...files, ...broken }, async (dir) => {
    const { problems, problemCount, dataset } = await checkDataset(dir);
    strictEqual(problems.length, MOST_PROBLEMS);
    strictEqual(problemCount, 31);
    strictEqual(problems.at(-1), "An item has no title: item 3");
    ok(/train\.csv line 2, column history_item_id: .* found 9/.test(problems[0]), problems[0]);
    strictEqual(dataset?.statistics.train, 3);
  });
});

Deno.test("checkDataset() reports a file that cannot be read at all, and refuses what is no dataset", async () => {
  await withFiles({ ...minionerecFiles(), "item.json": "{" }, async (dir) => {
    const { problems, dataset } = await checkDataset(dir);
    ok(/item\.json: expected JSON, but/.test(problems[0]), problems[0]);
    strictEqual(dataset, undefined);
  });
  await rejects(checkDataset("/nowhere/data"), /expected a directory, found nothing/);
});

for (const name of ["minionerec-industrial", "mimigenrec-industrial", "letter-instruments"]) {
  const dir = realData(name);
  Deno.test({
    name: `checkDataset() finds nothing wrong with ${name}`,
    ignore: dir === undefined,
    async fn() {
      deepStrictEqual((await checkDataset(dir!)).problems, []);
    },
  });
}
