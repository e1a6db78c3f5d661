import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { loadDataset } from "../../../data/formats/load.ts";
import { minionerecFiles, withFiles } from "./minionerec/fixture.ts";

Deno.test("loadDataset() finds the format of a directory", async () => {
  await withFiles(minionerecFiles(), async (dir) => strictEqual((await loadDataset(dir)).items.length, 4));
  await withFiles({
    "inter.json": `{"0": [0, 0, 0]}`,
    "index.json": `{"0": ["<a_0>"]}`,
  }, async (dir) => strictEqual((await loadDataset(`${dir}/`)).name, dir.split("/").at(-1)));
});

Deno.test("loadDataset() generates built-in data by name and seed", async () => {
  const [zero, again, seven] = await Promise.all(
    ["synthetic", "synthetic:0", "synthetic:7"].map(loadDataset),
  );
  deepStrictEqual(zero, again);
  strictEqual(seven.name, "synthetic-7");
  await rejects(loadDataset("synthetic:x"), /expected a seed .* found "x"/);
});

Deno.test("loadDataset() names the formats it tried", async () => {
  await withFiles({ "notes.md": "" }, async (dir) => {
    await rejects(
      loadDataset(dir),
      /fit none of the formats .*LETTER \(inter\.json.*\);.* MiniOneRec \(train.*\);.* built-in \(no files.*Check the path, or make a dataset of logs in other tables with `genrec data`/,
    );
  });
});

Deno.test("loadDataset() says that there is no such directory", async () => {
  await rejects(
    loadDataset("/nowhere/data"),
    /expected a directory, found nothing. Check the path, or use --data/,
  );
  await withFiles({ "x.csv": "" }, async (dir) => await rejects(loadDataset(`${dir}/x.csv`), /found a file/));
});
