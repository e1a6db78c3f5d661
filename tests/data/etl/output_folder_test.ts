import assert from "node:assert/strict";
import { OutputFolder } from "../../../data/etl/output_folder.ts";
import { withFiles } from "../minionerec_fixture.ts";

const names = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
const OURS = JSON.stringify({ format: "genrec-dataset", version: 1 });

/** Makes the folder `out` in a directory with one file in it. */
async function publish(dir: string, force: boolean): Promise<void> {
  await using folder = await OutputFolder.create(`${dir}/out`, force);
  await Deno.writeTextFile(`${folder.path}/new`, "");
  await folder.publish();
}

Deno.test("OutputFolder appears under its name when published, also where an empty folder is", async () => {
  await withFiles({}, async (dir) => {
    await publish(dir, false);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["new"]]);
    await Deno.remove(`${dir}/out/new`);
    await publish(dir, false);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["new"]]);
  });
});

Deno.test("OutputFolder leaves nothing behind when it is not published", async () => {
  await withFiles({ "out/dataset.json": OURS }, async (dir) => {
    {
      await using folder = await OutputFolder.create(`${dir}/out`, true);
      await Deno.writeTextFile(`${folder.path}/new`, "");
      assert.equal(names(dir).length, 2);
    }
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["dataset.json"]]);
  });
});

Deno.test("OutputFolder replaces a dataset with force alone", async () => {
  await withFiles({ "out/dataset.json": OURS, "out/index.json": "{}" }, async (dir) => {
    await assert.rejects(publish(dir, false), {
      name: "UserError",
      message: `Cannot write ${dir}/out: it holds a dataset. Replace it with --force, or name another --out`,
    });
    await publish(dir, true);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["new"]]);
  });
});

Deno.test("OutputFolder never replaces what is no dataset of ours", async () => {
  for (const file of ["out/thesis.tex", "out", "out/dataset.json"]) {
    await withFiles({ [file]: '{"format":"other"}' }, async (dir) => {
      await assert.rejects(publish(dir, true), {
        name: "UserError",
        message: `Cannot write ${dir}/out: it holds files that are no dataset. Name another --out`,
      });
      assert.deepEqual(names(dir), ["out"]);
    });
  }
});
