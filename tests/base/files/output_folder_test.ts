import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
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
      assert.deepEqual(names(dir), [".out.genrec-new", ".out.lock", "out"]);
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

Deno.test("OutputFolder replaces neither a link nor what it points to", async () => {
  await withFiles({ "elsewhere/precious": "" }, async (dir) => {
    await Deno.symlink(`${dir}/elsewhere`, `${dir}/out`);
    for (const mayReplace of [false, true]) {
      await assert.rejects(publish(dir, mayReplace), {
        name: "UserError",
        message:
          `Cannot write ${dir}/out: it is a link to ${dir}/elsewhere, which is not replaced by way of it. ` +
          `Name ${dir}/elsewhere itself, or remove the link`,
      });
    }
    assert.deepEqual([names(dir), names(`${dir}/elsewhere`)], [["elsewhere", "out"], ["precious"]]);
  });
});

Deno.test("OutputFolder removes what a killed process left beside it, and nothing else", async () => {
  await withFiles({ ".out-mine/precious": "", ".out.genrec-new/work/spill": "" }, async (dir) => {
    await publish(dir);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [[".out-mine", "out"], ["new"]]);
  });
});

Deno.test("OutputFolder puts back the folder that a process was killed in replacing", async () => {
  await withFiles({ ".out.genrec-old/old": "", ".out.genrec-new/new": "" }, async (dir) => {
    await assert.rejects(publish(dir), /it holds files already/);
    assert.deepEqual(names(`${dir}/out`), ["old"]);
    await publish(dir, true);
    assert.deepEqual([names(dir), names(`${dir}/out`)], [["out"], ["new"]]);
  });
});

Deno.test("two processes that make the same folder: the second is refused", async () => {
  await withFiles({}, async (dir) => {
    await using first = await OutputFolder.create(`${dir}/out`);
    const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
    const program = `import { OutputFolder } from ${
      JSON.stringify(new URL("../../../base/files/output_folder.ts", import.meta.url).href)
    };
await OutputFolder.create(Deno.args[0]).catch(({ message }) => console.log(message));`;
    await Deno.writeTextFile(`${dir}/second.ts`, program);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, `${dir}/second.ts`, `${dir}/out`],
      env: { NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stdout);
    assert.match(said, new RegExp(`^Cannot write .*/out: another program \\(process ${Deno.pid} on`));
    await Deno.writeTextFile(`${first.path}/new`, "");
    await first.publish();
    assert.deepEqual(names(`${dir}/out`), ["new"]);
  });
});
