import { deepStrictEqual, fail, match, ok, rejects, strictEqual } from "node:assert/strict";
import { loadDataset } from "../../../../data/formats/load.ts";
import { minionerecFormat } from "../../../../data/formats/minionerec/read.ts";
import { UserError } from "../../../../base/user_error.ts";
import { type Files, minionerecFiles, withFiles } from "./fixture.ts";
import { realData } from "../../downloaded.ts";

/** Loads the fixture with some files changed (or, undefined, left out) and matches the message. */
async function refuses(changes: Record<string, string | undefined>, message: RegExp) {
  const files = Object.entries({ ...minionerecFiles(), ...changes }).filter(([, text]) => text !== undefined);
  await withFiles(Object.fromEntries(files) as Files, async (dir) => {
    try {
      await minionerecFormat.read(dir);
    } catch (error) {
      ok(error instanceof UserError, `${error}`);
      match(error.message.replaceAll(`${dir}/`, ""), message);
      return;
    }
    fail(`Loaded, expected ${message}`);
  });
}

function edit(name: string, from: string, to: string): Record<string, string> {
  const text = minionerecFiles()[name];
  ok(text.includes(from), `${name} has no ${from}`);
  return { [name]: text.replace(from, to) };
}

Deno.test("minionerec reads splits, items, SIDs and rebuilds train histories", async () => {
  await withFiles(minionerecFiles(), async (dir) => {
    ok(await minionerecFormat.recognises(dir));
    const dataset = await loadDataset(dir);
    deepStrictEqual(dataset.items, [
      { title: "Blue Tape", description: "Sticky. Bob's choice.", brand: "Acme" },
      { title: "Bob's Clamp", description: "[half a list" },
      { title: "Steel Rule, 30 cm", categories: ["Tools", "Rulers"] },
      { title: "NA" },
    ]);
    deepStrictEqual(dataset.samples, {
      train: [
        { user: "A0", history: [0], target: 1 },
        { user: "A1", history: [3], target: 2 },
        { user: "A0", history: [0, 1], target: 3 },
      ],
      valid: [{ user: "A1", history: [3, 2], target: 0 }],
      test: [{ user: "A0", history: [1, 3], target: 0 }],
    });
    deepStrictEqual(dataset.histories, [
      { user: "A0", items: [0, 1, 3], times: [0, 0, 1] },
      { user: "A1", items: [3, 2], times: [0.5, 0.5] },
    ]);
    deepStrictEqual(dataset.sids?.[3], ["<a_4>", "<b_0>"]);
    deepStrictEqual(
      dataset.files.map((path) => path.slice(dir.length + 1)),
      ["train.csv", "valid.csv", "test.csv", "index.json", "item.json", "info.txt"],
    );
  });
});

Deno.test("minionerec finds files under their published names and folders", async () => {
  const files = minionerecFiles(), tail = "Toys_5_2016-10-2018-11";
  await withFiles({
    [`train/${tail}.csv`]: files["train.csv"],
    [`valid/${tail}.csv`]: files["valid.csv"],
    [`test/${tail}.csv`]: files["test.csv"].replaceAll("\n", "\r\n"),
    "index/Toys.index.json": files["index.json"],
    "index/Toys.item.json": files["item.json"],
    [`info/${tail}.txt`]: files["info.txt"],
  }, async (dir) => {
    ok(await minionerecFormat.recognises(dir));
    const { name, samples } = await loadDataset(dir);
    strictEqual(name, "Toys");
    deepStrictEqual(samples.test, [{ user: "A0", history: [1, 3], target: 0 }]);
  });
  await withFiles({
    "Toys.train.csv": files["train.csv"],
    "Toys_valid_5.csv": files["valid.csv"],
    "test.csv": files["test.csv"],
    "info.txt": files["info.txt"],
  }, async (dir) => {
    const { items, sids } = await minionerecFormat.read(dir);
    deepStrictEqual([items[1].title, sids?.[1]], ["Bob's Clamp", ["<a_1>", "<b_3>"]]);
  });
});

Deno.test("minionerec says which file is missing or which two are in the way", async () => {
  await refuses(
    { "test.csv": undefined },
    /no test\.csv, \*test\*\.csv or test\/\*\.csv, looked in .* Add the file/,
  );
  await refuses({ "index.json": undefined, "info.txt": undefined }, /no index\.json or \*\.index\.json/);
  await refuses(
    { "B.item.json": "{}" },
    /expected one file item\.json.*found \["B\.item\.json","item\.json"\]/,
  );
});

Deno.test("minionerec names line and column of a list cell that does not parse", async () => {
  await refuses(
    edit("train.csv", `"[0, 1]"`, `"[0, 1"`),
    /^Cannot read train\.csv line 4, column history_item_id: expected a list such as \[1, 2\], found "\[0, 1"\./,
  );
  await refuses(
    edit("valid.csv", "['NA', ", "[print('NA'), "),
    /valid\.csv line 2, column history_item_title: expected a list .* no integer or quoted string at character 2/,
  );
});

Deno.test("minionerec counts lines past quoted line ends", async () => {
  await refuses(
    edit("train.csv", `Bob's Clamp,[0],1`, `"Bob's\r\nClamp\n",[0],x`),
    /train\.csv line 2, column item_id: expected an item number, found "x"/,
  );
  const text = minionerecFiles()["train.csv"]
    .replace(`Bob's Clamp,[0],1`, `"Bob's\r\nClamp\n",[0],1`)
    .replace("[3],2", "[3],9");
  await refuses(
    { "train.csv": text },
    /line 5, column item_id: expected an item number from 0 to 3, found 9/,
  );
});

Deno.test("minionerec refuses broken tables", async () => {
  await refuses(
    edit("train.csv", "item_id,history_item_sid", "item,history_item_sid"),
    /a column item_id, found/,
  );
  await refuses(edit("test.csv", "A0,", "A0,extra,"), /test\.csv line 2: expected 7 columns .* found 8/);
  await refuses(
    edit("train.csv", `"['Blue`, `"['Bl"ue`),
    /train\.csv line 4: expected comma-separated values/,
  );
  await refuses(
    { "valid.csv": minionerecFiles()["train.csv"].split("\n")[0] },
    /valid\.csv: expected at least one row/,
  );
  await refuses({ "valid.csv": "" }, /valid\.csv line 1: expected a column user_id, found no columns/);
  await refuses(edit("test.csv", "A0,", ","), /line 2, column user_id: expected a user/);
});

Deno.test("minionerec refuses rows that contradict the catalogue", async () => {
  await refuses(
    edit("train.csv", "[3],2", "[4],2"),
    /line 3, column history_item_id: .* from 0 to 3, found 4/,
  );
  await refuses(edit("train.csv", "[3],2", "[-1],2"), /line 3, column history_item_id: .* found -1/);
  await refuses(
    edit("train.csv", "],<a_1><b_3>", "],<a_1><b_9>"),
    /train\.csv line 2, column item_sid: expected <a_1><b_3> as the index has for item 1, found "<a_1><b_9>"/,
  );
  await refuses(
    edit("valid.csv", "'<a_2><b_2>'", "'<a_2><b_7>'"),
    /line 2, column history_item_sid: expected/,
  );
  await refuses(
    edit("valid.csv", "['NA', 'Steel Rule, 30 cm']", "['NA']"),
    /column history_item_title: expected 2 entries as in history_item_id, found 1/,
  );
});

Deno.test("minionerec refuses index, item and info files that disagree", async () => {
  await refuses({ "index.json": `{"0": ["<a_1>"]}` }, /expected SIDs of 4 items as in the dataset, found 1/);
  await refuses(
    edit("info.txt", "<a_4><b_0>\tNA\t3\n", ""),
    /info\.txt: expected 4 items as in item\.json, found 3/,
  );
  await refuses(
    edit("info.txt", "<a_2><b_2>", "<a_2><b_1>"),
    /info\.txt line 3.*expected <a_2><b_2>.*item 2/,
  );
  await refuses(
    edit("info.txt", "NA\t3", "NA\t2"),
    /line 4, column 3 \(item number\): expected a new item.*line 3/,
  );
  await refuses(edit("info.txt", "\tNA", " NA"), /info\.txt line 4: expected 3 tab-separated fields/);
  await refuses(
    edit("info.txt", "<a_4><b_0>", "<a_4>b_0"),
    /line 4, column 1 \(SID\): expected a SID such as/,
  );
  await refuses(
    edit("item.json", `"title":"NA"`, `"title":7`),
    /item\.json at \["3"\]\["title"\]: expected string, found 7/,
  );
});

Deno.test("minionerec keeps user ids, further columns, titles of its own, other indexes and unknown fields", async () => {
  const changes = {
    "train.csv": minionerecFiles()["train.csv"].replaceAll(/$/gm, ",HOME").replace(
      "item_sid,HOME",
      "item_sid,e_token",
    )
      .replace(/\n,HOME$/, "\n").replace("Bob's Clamp,[0]", "Another Clamp,[0]"),
    "index.constrained.json": "{}",
    "item2id": "B0\t0\nB1\t1\nB2\t2\nB3\t3\n",
    "notes.md": "",
    "runs/a/config.json": "{}",
    ".hidden": "",
    ...edit("item.json", `"title":"NA"`, `"title":"NA","details":{"weight":"1 kg"}`),
  };
  await withFiles({ ...minionerecFiles(), ...changes }, async (dir) => {
    const { items, users, samples, attachments, unread } = await minionerecFormat.read(dir);
    deepStrictEqual(users, [{ id: "A0" }, { id: "A1" }]);
    deepStrictEqual(samples.train.map(({ attributes }) => attributes), [
      {
        e_token: "HOME",
        minionerec: { titles: { history: ["Blue Tape"], target: "Another Clamp" } },
      },
      { e_token: "HOME" },
      { e_token: "HOME" },
    ]);
    deepStrictEqual(items[3], {
      id: "B3",
      title: "NA",
      categories: [],
      attributes: { details: { weight: "1 kg" } },
    });
    deepStrictEqual(items[0].attributes, { raw: { description: "['Sticky.', \"Bob's choice.\"]" } });
    deepStrictEqual(attachments, { "minionerec/index.constrained.json": "{}" });
    deepStrictEqual(unread, ["notes.md", "runs/"]);
  });
});

Deno.test("minionerec reads .inter splits before there are SIDs, users and items by their maps", async () => {
  const header = "user_id:token\titem_id_list:token_seq\titem_id:token\n";
  const early = {
    "Toys.train.inter": `${header}1\t0 3\t2\n`,
    "Toys.valid.inter": `${header}0\t1\t3\n`,
    "Toys.test.inter": `${header}1\t0 3 2\t1\n`,
    "Toys.item.json": minionerecFiles()["item.json"],
    "Toys.user2id": "u-a\t0\nu-b\t1\nu-c\t2\n",
  };
  await withFiles(early, async (dir) => {
    ok(await minionerecFormat.recognises(dir));
    const { name, users, samples, interactions, sids } = await minionerecFormat.read(dir);
    deepStrictEqual([name, sids], ["Toys", undefined]);
    deepStrictEqual(users.map(({ id }) => id), ["u-a", "u-b", "u-c"]);
    deepStrictEqual(samples.test, [{ user: 1, history: [0, 3, 2], target: 1 }]);
    deepStrictEqual(interactions.items, Int32Array.of(1, 3, 0, 3, 2, 1));
  });
  await withFiles({ ...early, "Toys.valid.inter": `${header}0\t1\t4\n` }, async (dir) => {
    await rejects(
      minionerecFormat.read(dir),
      /valid\.inter line 2, column item_id: expected an item number from 0 to 3, found "4"/,
    );
  });
  await withFiles({ ...early, "Toys.user2id": "u-a\t0\nu-b\t0\n" }, async (dir) => {
    await rejects(
      minionerecFormat.read(dir),
      /user2id line 2: expected a number from 0 to 1, each once, found "0"/,
    );
  });
});

const dir = realData("minionerec-industrial");
Deno.test({
  name: "minionerec reads the published Industrial_and_Scientific split",
  ignore: dir === undefined,
  async fn() {
    const { items, samples, histories, sids } = await loadDataset(dir!);
    deepStrictEqual(
      [items.length, samples.train.length, samples.valid.length, samples.test.length],
      [3686, 36259, 4532, 4533],
    );
    strictEqual(new Set(sids!.map((sid) => sid.join(""))).size, 3670);
    // One sequence a user, each as long as the user's targets and the first item together.
    strictEqual(new Set(histories.map(({ user }) => user)).size, histories.length);
    strictEqual(histories.reduce((sum, { items }) => sum + items.length - 1, 0), 36259);
  },
});
