import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { checkDataset } from "../../../../data/check/check.ts";
import { recboleWriter as writer } from "../../../../data/formats/recbole/write.ts";
import { loadCorpus, loadDataset } from "../../../../data/formats/load.ts";
import { recboleFormat } from "../../../../data/formats/recbole/read.ts";
import { written } from "../../convert/written.ts";
import { type Files, withFiles } from "../minionerec/fixture.ts";

/** As RecBole's own MovieLens and Amazon files look, rows in no order. */
const files: Files = {
  "ml.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\tdevice:token\n" +
    "7\tm3\t4\t30\tweb\n7\tm1\t5\t10.7\tapp\n9\tm1\t3\t5\tapp\n7\tm2\t1\t20\t\n7\tm9\t2\t40\tweb\n",
  "ml.item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tcategories:token_seq\tprice:float\n" +
    "m1\tToy Story\t1995\t'Kids', 'Tape & Glue'\t3.5\nm2\tHeat\t1995\tAction Crime\t\nm3\tNA\t\t\t0\n",
  "ml.user": "user_id:token\tage:token\n9\t35\n7\t\n",
};

Deno.test("recbole orders the log by user and time, holds out the last two, reads items and users", async () => {
  await withFiles(files, async (dir) => {
    ok(await recboleFormat.recognises(dir));
    const corpus = await loadCorpus(dir);
    deepStrictEqual(corpus.items, [
      {
        id: "m1",
        title: "Toy Story",
        categories: ["Kids", "Tape & Glue"],
        price: 3.5,
        attributes: { recbole: { "movie_title:token_seq": "Toy Story", "release_year:token": "1995" } },
      },
      {
        id: "m2",
        title: "Heat",
        categories: ["Action", "Crime"],
        attributes: { recbole: { "movie_title:token_seq": "Heat", "release_year:token": "1995" } },
      },
      {
        id: "m3",
        title: "NA",
        categories: [],
        price: 0,
        attributes: { recbole: { "movie_title:token_seq": "NA" } },
      },
      { id: "m9", title: "", categories: [] },
    ]);
    deepStrictEqual(corpus.users, [{ id: "7" }, { id: "9", attributes: { recbole: { "age:token": "35" } } }]);
    deepStrictEqual(corpus.interactions, {
      users: Int32Array.of(0, 0, 0, 0, 1),
      items: Int32Array.of(0, 1, 2, 3, 0),
      times: Float64Array.of(10, 20, 30, 40, 5),
      ratings: Float64Array.of(5, 1, 4, 2, 3),
    });
    deepStrictEqual(corpus.samples, {
      train: [{ user: 0, history: [0], target: 1, time: 20 }],
      valid: [{ user: 0, history: [0, 1], target: 2, time: 30 }],
      test: [{ user: 0, history: [0, 1, 2], target: 3, time: 40 }],
    });
    deepStrictEqual(corpus.unread, [`column device of ${dir}/ml.inter`]);
    deepStrictEqual([corpus.name, corpus.split, corpus.maxHistory], ["ml", "leave-one-out", 50]);
    deepStrictEqual((await loadDataset(dir)).histories, [{ user: "7", items: [0, 1] }, {
      user: "9",
      items: [0],
    }]);
  });
});

Deno.test("recbole columns that have no field of ours are written back under their names and types", async () => {
  await withFiles(files, async (dir) => {
    await written(await loadCorpus(dir), writer, async (out) => {
      const [header, first] = (await Deno.readTextFile(`${out}/ml.item`)).split("\n").map((line) =>
        line.split("\t")
      );
      strictEqual(first[header.indexOf("release_year:token")], "1995");
      strictEqual(first[header.indexOf("movie_title:token_seq")], "Toy Story");
      strictEqual(await Deno.readTextFile(`${out}/ml.user`), "user_id:token\tage:token\n7\t\n9\t35\n");
    });
  });
});

Deno.test("recbole goes by the split column where there is one, in order of time", async () => {
  const inter = "user_id:token\titem_id:token\ttimestamp:float\tsplit:token\n" +
    "a\tx\t1\ttrain\na\ty\t9\ttrain\na\tz\t20\tvalid\nb\tx\t2\ttrain\nb\tz\t5\ttrain\nb\ty\t30\ttest\nb\tx\t40\tnone\n";
  await withFiles({ "d.inter": inter }, async (dir) => {
    const { samples, split } = await loadCorpus(dir);
    strictEqual(split, "time");
    deepStrictEqual(samples.train.map(({ user, time }) => [user, time]), [[1, 5], [0, 9]]);
    deepStrictEqual(samples.test, [{ user: 1, history: [0, 2], target: 1, time: 30 }]);
  });
});

Deno.test("recbole reads a benchmark's samples", async () => {
  const header = "user_id:token\titem_id_list:token_seq\titem_id:token\n";
  await withFiles({
    "b.train.inter": `${header}u\tx\ty\n`,
    "b.valid.inter": `${header}u\tx y\tz\n`,
    "b.test.inter": `${header}u\tx y z\tx\n`,
  }, async (dir) => {
    const { items, samples, split } = await loadCorpus(dir);
    deepStrictEqual(items.map(({ id }) => id), ["x", "y", "z"]);
    deepStrictEqual(samples.test, [{ user: 0, history: [0, 1, 2], target: 0 }]);
    strictEqual(split, "leave-one-out");
  });
});

Deno.test("recbole names file, line and column of what is wrong, and --check lists it all", async () => {
  const broken = "user_id:token\titem_id:token\ttimestamp:float\tsplit:token\n" +
    "a\tx\tsoon\ttrain\na\t\t1\ttrain\na\tx\t1\na\tx\t1\tholdout\n";
  await withFiles({ "d.inter": broken }, async (dir) => {
    await rejects(loadCorpus(dir), /d\.inter line 3, column item_id: expected a value/);
    const { problems } = await checkDataset(dir);
    deepStrictEqual(problems.map((text) => text.replace(/.*(line \d.*): expected/, "$1: expected")), [
      'line 3, column item_id: expected a value, found "". Fix or re-export the file',
      'line 4: expected 4 tab-separated fields, found "a\\tx\\t1". Fix or re-export the file',
      'line 2, column timestamp: expected a number, found "soon". Fix or re-export the file',
      'line 5, column split: expected train, valid, test or none, found "holdout". Fix or re-export the file',
    ]);
  });
  await withFiles({ "d.inter": "user_id\titem_id\n" }, async (dir) => {
    await rejects(loadCorpus(dir), /line 1: expected columns such as user_id:token.* found "user_id"/);
  });
  await withFiles({ "d.inter": "user_id:token\tiid:token\n" }, async (dir) => {
    await rejects(loadCorpus(dir), /line 1: expected a column item_id/);
  });
});

Deno.test("recbole puts the log in order by all digits of its times, in whichever unit they are", async () => {
  const inter = (times: string[]) =>
    "user_id:token\titem_id:token\ttimestamp:float\n" +
    [..."CABED"].map((item, n) => `u\t${item}\t${times[n]}\n`).join("");
  for (
    const [times, unread] of [
      [["1600000000.9", "1600000000.1", "1600000000.5", "1600000002", "1600000001"], false],
      [["1600000000900", "1600000000100", "1600000000500", "1600000002000", "1600000001000"], true],
      [[
        "1600000000000000003",
        "1600000000000000001",
        "1600000000000000002",
        "1600000002000000000",
        "1600000001000000000",
      ], true],
    ] as const
  ) {
    await withFiles({ "a.inter": inter([...times]) }, async (dir) => {
      const { items, interactions, unread: told } = await loadCorpus(dir);
      strictEqual([...interactions.items].map((item) => items[item].id).join(""), "ABCDE");
      deepStrictEqual([...interactions.times!], [0, 0, 0, 1, 2].map((n) => 1600000000 + n));
      strictEqual(told.length === 1, unread);
    });
  }
});

Deno.test("recbole refuses an item, a user or a unit of times that is there twice, and tells times that are missing", async () => {
  const twice = {
    "ml.item": files["ml.item"] + "m1\tTin Toy\t1988\t\t\n",
    "ml.user": files["ml.user"] + "9\t36\n",
  };
  await withFiles({ ...files, ...twice }, async (dir) => {
    await rejects(
      loadCorpus(dir),
      /ml\.item line 5, column item_id: expected each id once, found "m1"\. It stands in line 2/,
    );
    const { problems } = await checkDataset(dir);
    deepStrictEqual(problems.slice(0, 2).map((problem) => /"(m1|9)"/.exec(problem)?.[1]), ["m1", "9"]);
  });
  const log = (times: readonly (number | string)[]) =>
    "user_id:token\titem_id:token\ttimestamp:float\n" +
    times.map((time, item) => `7\tm${item}\t${time}\n`).join("");
  await withFiles({ "ml.inter": log([1.6e9, 1.6e9 + 1, 1.6e9 + 2, 1.6e12]) }, async (dir) => {
    await rejects(
      loadCorpus(dir),
      /line 5, column timestamp: expected seconds as in other lines, found 1600000000000/,
    );
  });
  await withFiles({ "ml.inter": log([1.6e9, 1.6e9 + 1, "", 0]) }, async (dir) => {
    deepStrictEqual(Array.from((await loadCorpus(dir)).interactions.items), [2, 3, 0, 1]);
    const { problems, notes } = await checkDataset(dir);
    deepStrictEqual(problems, []);
    ok(
      notes.includes(
        "1 interactions have no time: they count as earlier than those of the user that have one",
      ),
    );
  });
});
