import { deepStrictEqual, rejects } from "node:assert/strict";
import { checkDataset } from "../../../../data/check/check.ts";
import { genrecWriter as writer } from "../../../../data/formats/genrec/write.ts";
import { INTERACTION_TABLE, ITEM_TABLE, SAMPLE_TABLE } from "../../../../data/formats/genrec/layout.ts";
import { loadCorpus, loadDataset } from "../../../../data/formats/load.ts";
import { readParquet } from "../../../../base/files/parquet/read.ts";
import type { ParquetTable, TableType } from "../../../../base/files/parquet/table.ts";
import { formatParquet } from "../../../base/files/parquet/whole_table.ts";
import { trickyCorpus } from "../../convert/tricky_corpus.ts";
import { written } from "../../convert/written.ts";

Deno.test("genrec gives training items, samples by user id, and histories in order of time", async () => {
  await written(trickyCorpus(), writer, async (dir) => {
    const { items, samples, histories, sids } = await loadDataset(dir);
    deepStrictEqual(items[4], { id: "B4", title: "Clamp\\Vise \u00a0 end", categories: ["Tools"], price: 0 });
    deepStrictEqual(samples.train[1], { user: "u-a", history: [0, 1], target: 0 });
    deepStrictEqual(histories, [{ user: "u-a", items: [0, 1, 0], times: [0, 0, 1] }]);
    deepStrictEqual(sids?.[1], ["<a_10>", "<b_7>", "<c_1>"]);
  });
});

Deno.test("genrec under leave-one-out trains on all that is not held out, samples or not", async () => {
  const corpus = trickyCorpus();
  corpus.split = "leave-one-out";
  corpus.samples.valid.pop();
  corpus.samples.test = [{ user: 0, history: [0, 1, 0], target: 4 }];
  await written(corpus, writer, async (dir) => {
    deepStrictEqual((await loadDataset(dir)).histories, [
      { user: "u-a", items: [0, 1, 0] },
      { user: "u-b", items: [2, 3, 1] },
      { user: "u-c", items: [4] },
    ]);
  });
});

/** Takes the hashes out of a dataset.json, as for a dataset that is foreign or was changed on purpose. */
async function forgetHashes(dir: string) {
  const manifest = JSON.parse(await Deno.readTextFile(`${dir}/dataset.json`));
  await Deno.writeTextFile(`${dir}/dataset.json`, JSON.stringify({ ...manifest, files: {} }));
}

/** Loads the tricky dataset with one table changed; the message, without the directory. */
async function refuses<const T extends TableType>(
  table: string,
  type: T,
  change: (table: ParquetTable<T>) => void,
  message: RegExp,
) {
  await written(trickyCorpus(), writer, async (dir) => {
    const path = `${dir}/${table}.parquet`;
    const cells = await readParquet(path, type);
    change(cells);
    await Deno.writeFile(path, await formatParquet(type, cells));
    await forgetHashes(dir);
    await rejects(loadCorpus(dir), message);
    const { problems } = await checkDataset(dir);
    deepStrictEqual(
      problems.filter((text) => message.test(`UserError: ${text}`)).length,
      1,
      problems.join("\n"),
    );
  });
}

Deno.test("genrec names table, row and column of a number that is none of the catalogue", async () => {
  await refuses(
    "train",
    SAMPLE_TABLE,
    ({ item }) => item[1] = 5,
    /train\.parquet row 1, column item: .*from 0 to 4, found 5/,
  );
  await refuses(
    "test",
    SAMPLE_TABLE,
    ({ history }) => history[0] = [-1],
    /test\.parquet row 0, column history: .* found -1/,
  );
  await refuses(
    "valid",
    SAMPLE_TABLE,
    ({ user }) => user[0] = 3,
    /valid\.parquet row 0, column user: .*from 0 to 2, found 3/,
  );
  await refuses(
    "interactions",
    INTERACTION_TABLE,
    ({ item }) => item[7] = 9,
    /interactions\.parquet row 7, column item/,
  );
  await refuses(
    "items",
    ITEM_TABLE,
    ({ item }) => item[2] = 3,
    /items\.parquet, column item: expected 2 in row 2, found 3/,
  );
  await refuses(
    "train",
    SAMPLE_TABLE,
    ({ attributes }) => attributes[0] = "[1]",
    /train\.parquet row 0, column attributes: expected a JSON object, found "\[1\]"/,
  );
});

Deno.test("genrec refuses another version and another dataset.json", async () => {
  await written(trickyCorpus(), writer, async (dir) => {
    const path = `${dir}/dataset.json`, text = await Deno.readTextFile(path);
    const cases: [string, string, RegExp][] = [
      [
        '"version": 1',
        '"version": 2',
        /dataset\.json at \["version"\]: expected 1, the one version .*, found 2/,
      ],
      [
        '"genrec-dataset"',
        '"other"',
        /dataset\.json at \["format"\]: expected .*genrec-dataset.* found "other"/,
      ],
      ['"split": "time"', '"split": "random"', /\["split"\]: .*"time"\|"leave-one-out".*, found "random"/],
    ];
    for (const [from, to, message] of cases) {
      await Deno.writeTextFile(path, text.replace(from, to));
      await rejects(loadCorpus(dir), message);
    }
  });
});

Deno.test("genrec refuses a table that is not the one that dataset.json states, before it is decoded", async () => {
  await written(trickyCorpus(), writer, async (dir) => {
    await Deno.writeTextFile(`${dir}/users.parquet`, "PAR1, and no more");
    await rejects(
      loadDataset(dir),
      /UserError: Cannot trust .*users\.parquet: expected the SHA-256 [0-9a-f]{64} of dataset\.json, found [0-9a-f]{64}\./,
    );
    const { problems } = await checkDataset(dir);
    deepStrictEqual(problems.map((text) => text.slice(0, 12)), ["Cannot trust", "Cannot read "]);
  });
});
