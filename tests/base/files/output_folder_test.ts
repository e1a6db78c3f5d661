import assert from "node:assert/strict";
import { OutputFolder } from "../../../base/files/output_folder.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const names = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();

/** Makes the folder `out` in a directory with one file in it. */
async function publish(dir: string, mayReplace = false): Promise<void> {
  await using folder = await OutputFolder.create(`${dir}/out`, mayReplace);
  await Deno.writeTextFile(`${folder.path}/new`, "");
  await folder.publish();
}

Deno.test("OutputFolder appears under its name when published, also where an empty folder is", async () => {
  await withFiles({}, async (dir) => {
    await publish(dir);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["new"]]);
    await Deno.remove(`${dir}/out/new`);
    await publish(dir);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["new"]]);
  });
});

Deno.test("OutputFolder leaves nothing behind when it is not published", async () => {
  await withFiles({ "out/old": "" }, async (dir) => {
    {
      await using folder = await OutputFolder.create(`${dir}/out`, true);
      await Deno.writeTextFile(`${folder.path}/new`, "");
      assert.equal(names(dir).length, 2);
    }
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["old"]]);
  });
});

Deno.test("OutputFolder replaces what is there only where it may", async () => {
  await withFiles({ "out/old": "", "out/deep/old": "" }, async (dir) => {
    await assert.rejects(publish(dir), {
      name: "UserError",
      message: `Cannot write folder ${dir}/out: it holds files already. Remove it, or name another --out`,
    });
    await publish(dir, true);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["new"]]);
  });
});

Deno.test("OutputFolder never takes the place of a file", async () => {
  await withFiles({ out: "text" }, async (dir) => {
    await assert.rejects(publish(dir), /^UserError: Cannot write folder .*out: it holds files already/);
    assert.equal(await Deno.readTextFile(`${dir}/out`), "text");
  });
});
