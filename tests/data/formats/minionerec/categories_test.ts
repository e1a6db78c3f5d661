import assert from "node:assert/strict";
import { checkDataset } from "../../../../data/check/check.ts";
import { splits } from "../../../../data/dataset.ts";
import { loadCorpus } from "../../../../data/formats/load.ts";
import { type Files, minionerecFiles, withFiles } from "./fixture.ts";

/** MiniOneRec's `data/Amazon` with the fixture's dataset as `category`, its titles changed. */
function asCategory(category: string, title: string): Files {
  const name = `${category}_5_2016-10-2018-11`;
  const files = Object.entries(minionerecFiles()).map(([file, text]) => {
    const own = text.replaceAll("Blue Tape", title);
    const [split] = file.split(".");
    if ((splits as readonly string[]).includes(split)) return [`${split}/${name}.csv`, own];
    return [file === "info.txt" ? `info/${name}.txt` : `index/${category}.${file}`, own];
  });
  return Object.fromEntries(files);
}

const TREE = { ...asCategory("Toys", "Kite"), ...asCategory("Toys_and_Games", "Chess") };

Deno.test("DIR:CATEGORY reads one of the categories that MiniOneRec keeps in one tree", async () => {
  await withFiles({ ...TREE, "index/Toys.index.other.json": "{}" }, async (dir) => {
    for (const [category, title] of [["Toys", "Kite"], ["Toys_and_Games", "Chess"]]) {
      const { name, items, samples, files, attachments } = await loadCorpus(`${dir}/:${category}`);
      assert.deepEqual([name, items[0].title, samples.train.length], [category, title, 3]);
      assert.deepEqual(files.map((path) => path.replace(`${dir}//`, "").split(/[/_.]/).slice(0, 2)).sort(), [
        ["index", "Toys"],
        ["index", "Toys"],
        ["info", "Toys"],
        ["test", "Toys"],
        ["train", "Toys"],
        ["valid", "Toys"],
      ]);
      assert.equal(files.filter((path) => path.includes("_and_Games")).length, category === "Toys" ? 0 : 6);
      assert.equal(Object.keys(attachments).length, category === "Toys" ? 1 : 0);
    }
    const { problems, notes, dataset } = await checkDataset(`${dir}:Toys_and_Games`);
    assert.deepEqual([problems, dataset?.name], [[], "Toys_and_Games"]);
    assert.doesNotMatch(notes.join("\n"), /Toys/);
  });
});

Deno.test("a tree of several categories is not read before one is picked, and unknown ones are told with those that are there", async () => {
  await withFiles(TREE, async (dir) => {
    await assert.rejects(loadCorpus(dir), {
      name: "UserError",
      message:
        `Cannot tell which dataset of ${dir} is meant: it holds the categories Toys, Toys_and_Games. Name one, such as ` +
        `${dir}:Toys`,
    });
    await assert.rejects(loadCorpus(`${dir}:Toys_and_Game`), {
      name: "UserError",
      message:
        `Cannot find category Toys_and_Game in ${dir}: it holds Toys, Toys_and_Games. Did you mean Toys_and_Games?`,
    });
  });
  // Without catalogues the names of the splits tell.
  const splitsAlone = Object.fromEntries(Object.entries(TREE).filter(([name]) => !name.startsWith("index/")));
  await withFiles(splitsAlone, async (dir) => {
    assert.equal((await loadCorpus(`${dir}:Toys_and_Games`)).items[0].title, "Chess");
    await assert.rejects(loadCorpus(dir), /it holds the categories Toys, Toys_and_Games/);
  });
});

Deno.test("a tree of one category is read whole, as one whose files have several names", async () => {
  await withFiles(asCategory("Toys", "Kite"), async (dir) => {
    assert.equal((await loadCorpus(dir)).items[0].title, "Kite");
    assert.equal((await loadCorpus(`${dir}:Toys`)).items[0].title, "Kite");
    await Deno.rename(`${dir}/train/Toys_5_2016-10-2018-11.csv`, `${dir}/train/mine.csv`);
    assert.equal((await loadCorpus(dir)).samples.train.length, 3);
  });
});
