import { deepStrictEqual, ok, rejects } from "node:assert/strict";
import { etegrecWriter as writer } from "../../../../data/formats/etegrec/write.ts";
import { etegrecFormat } from "../../../../data/formats/etegrec/read.ts";
import { loadCorpus } from "../../../../data/formats/load.ts";
import { written } from "../../convert/written.ts";
import { type Files, withFiles } from "../minionerec/fixture.ts";

/** A directory as ETEGRec's preparation and its SASRec step leave it. */
const files: Files = {
  "Toys.train.jsonl": '{"user_id": "u7", "target_id": "B2", "inter_history": ["B1"]}\n',
  "Toys.valid.jsonl": '{"user_id": "u7", "target_id": "B1", "inter_history": ["B1", "B2"]}\n',
  "Toys.test.jsonl": '{"user_id": "u7", "target_id": "B3", "inter_history": ["B1", "B2", "B1"]}\n',
  "Toys.emb_map.json": '{"[PAD]": 0, "B1": 1, "B3": 3, "B2": 2}',
  "Toys.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\tsplit:token\n" +
    "u7\tB1\t5.0\t10.0\ttrain\nu7\tB2\t4.0\t20.0\ttrain\nu7\tB1\t5.0\t30.0\tvalid\nu7\tB3\t1.0\t40.0\ttest\n",
  "dataset_stats.json": '{"num_users": 1}',
};

Deno.test("etegrec numbers items as its map does and takes times from the log", async () => {
  await withFiles(files, async (dir) => {
    ok(await etegrecFormat.recognises(dir));
    const corpus = await loadCorpus(dir);
    deepStrictEqual(corpus.items.map(({ id }) => id), ["B1", "B2", "B3"]);
    deepStrictEqual(corpus.users, [{ id: "u7" }]);
    deepStrictEqual(corpus.samples, {
      train: [{ user: 0, history: [0], target: 1, time: 20 }],
      valid: [{ user: 0, history: [0, 1], target: 0, time: 30 }],
      test: [{ user: 0, history: [0, 1, 0], target: 2, time: 40 }],
    });
    deepStrictEqual(corpus.interactions.ratings, Float64Array.of(5, 4, 5, 1));
    deepStrictEqual([corpus.name, corpus.split, corpus.unread], ["Toys", "leave-one-out", []]);
  });
});

Deno.test("etegrec files come back equal after parsing (Python and JavaScript space JSON and floats otherwise)", async () => {
  await withFiles(files, async (dir) => {
    await written(await loadCorpus(dir), writer, async (out) => {
      for (const name of ["Toys.train.jsonl", "Toys.valid.jsonl", "Toys.test.jsonl", "Toys.emb_map.json"]) {
        deepStrictEqual(JSON.parse(await Deno.readTextFile(`${out}/${name}`)), JSON.parse(files[name]), name);
      }
      const log = files["Toys.inter"].replaceAll(".0", "");
      deepStrictEqual(await Deno.readTextFile(`${out}/Toys.inter`), log);
    });
  });
});

Deno.test("etegrec numbers items by first appearance without a map", async () => {
  const { "Toys.emb_map.json": _, "Toys.inter": __, ...rest } = files;
  await withFiles(rest, async (dir) => {
    const { items, interactions } = await loadCorpus(dir);
    deepStrictEqual(items.map(({ id }) => id), ["B1", "B2", "B3"]);
    deepStrictEqual(interactions.items, Int32Array.of(0, 1, 0, 2));
  });
});

Deno.test("etegrec names what is wrong with a line or the map", async () => {
  const cases: [Files, RegExp][] = [
    [
      { "Toys.valid.jsonl": '{"user_id": "u7"}\n' },
      /valid\.jsonl line 1: expected a JSON object with user_id/,
    ],
    [{ "Toys.valid.jsonl": "\n{" }, /valid\.jsonl line 2: expected a JSON object/],
    [{ "Toys.emb_map.json": '{"B1": 1}' }, /at \["\[PAD\]"\]: expected 0, found undefined/],
    [
      { "Toys.emb_map.json": '{"[PAD]": 0, "B1": 1, "B2": 3}' },
      /at \["B2"\]: expected 2, numbers from 1 without gaps/,
    ],
    [
      { "Toys.emb_map.json": '{"[PAD]": 0, "B1": 1, "B2": 2}' },
      /every item of the splits, found "no \\"B3\\""/,
    ],
  ];
  for (const [change, message] of cases) {
    await withFiles({ ...files, ...change }, async (dir) => await rejects(loadCorpus(dir), message));
  }
});
