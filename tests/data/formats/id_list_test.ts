import assert from "node:assert/strict";
import { idListPath, readIdList, rowsOfItems } from "../../../data/formats/id_list.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { withFiles } from "./minionerec/fixture.ts";

Deno.test("rowsOfItems() finds the row of each item, in any order, and lets rows of other items be", () => {
  assert.deepEqual(rowsOfItems(["c", "a", "x", "b"], ["a", "b", "c"], "e.npy"), [1, 3, 0]);
});

Deno.test("rowsOfItems() names ids that stand there twice, and ids that are missing", () => {
  assert.throws(() => rowsOfItems(["a", "b", "a", "a"], ["a"], "e.npy"), {
    name: "UserError",
    message:
      'Cannot use e.npy: ids "a" stand there more than once, expected each item once. Give every row its own id',
  });
  assert.throws(() => rowsOfItems(["a"], ["a", "b", "c", "d", "e", "f", "g"], "e.npy"), {
    message:
      'Cannot use e.npy: ids "b", "c", "d", "e", "f" and 1 more are missing, of 7 items, expected each item once. ' +
      "Embed these items too",
  });
});

Deno.test("readIdList() reads a list of ids or an object that has one, numbers as text, and nothing where none lies", async () => {
  const files = {
    "a.ids.json": '["x", 7]',
    "b.ids.json": '{"ids": ["y"], "rows": 1}',
    "c.ids.json": '{"rows": 1}',
  };
  await withFiles(files, async (dir) => {
    assert.equal(idListPath(`${dir}/a.npy`), `${dir}/a.ids.json`);
    assert.deepEqual(await readIdList(diskFiles, `${dir}/a.npy`), ["x", "7"]);
    assert.deepEqual(await readIdList(diskFiles, `${dir}/b.npy`), ["y"]);
    assert.equal(await readIdList(diskFiles, `${dir}/other.npy`), undefined);
    await assert.rejects(readIdList(diskFiles, `${dir}/c.npy`), /c\.ids\.json: expected a list of ids/);
  });
});
