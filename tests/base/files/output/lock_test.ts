import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { OutputLock } from "../../../../base/files/output/lock.ts";
import { filesIn } from "../../../tasks/genrec.ts";
import { withFiles } from "../../../data/formats/minionerec/fixture.ts";

const module = new URL("../../../../base/files/output/lock.ts", import.meta.url).href;

/** A process that locks a path, says so in a line, and holds it until it is killed. */
async function holderOf(path: string): Promise<Deno.ChildProcess> {
  const program = `import { OutputLock } from ${JSON.stringify(module)};
await OutputLock.take(Deno.args[0], "sft");
console.log("locked");
await new Promise((done) => setTimeout(done, 60_000));`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "-", path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const reader = process.stdout.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "locked\n");
  reader.releaseLock();
  return process;
}

Deno.test("OutputLock.take() names the process that writes, under every name of the folder, until it is killed", async () => {
  await withFiles({ "runs/a/config.json": "{}" }, async (dir) => {
    await Deno.symlink(`${dir}/runs/a`, `${dir}/linked`);
    const process = await holderOf(`${dir}/runs/a/`);
    try {
      for (const name of ["runs/a", "runs/../runs/a/", "linked"]) {
        await assert.rejects(OutputLock.take(`${dir}/${name}`, "rl", 0), {
          name: "UserError",
          message: new RegExp(
            `^Cannot write ${dir}/${name}: \`genrec sft\` \\(process ${process.pid} on \\S+, since 20[-\\d:.TZ]+\\) ` +
              "is writing it\\. Wait until it ends, or name another --out$",
          ),
        });
      }
      await using _other = await OutputLock.take(`${dir}/runs/b`, "rl");
    } finally {
      process.kill("SIGKILL");
      await process.status;
      await process.stdout.cancel();
    }
    assert.deepEqual(filesIn(dir), ["linked", "runs/", "runs/.a.lock", "runs/a/", "runs/a/config.json"]);
    {
      await using _lock = await OutputLock.take(`${dir}/linked`, "rl");
      assert.match(await Deno.readTextFile(`${dir}/runs/.a.lock`), /^\{"pid":\d+,.*"task":"rl"\}\n$/);
      await using _again = await OutputLock.take(`${dir}/runs/a`, "rl");
    }
    assert.deepEqual(filesIn(dir), ["linked", "runs/", "runs/a/", "runs/a/config.json"]);
  });
});

Deno.test("OutputLock.take() waits for a process that is about to end, as one that was killed", async () => {
  await withFiles({}, async (dir) => {
    const process = await holderOf(`${dir}/a`);
    const kill = setTimeout(() => process.kill("SIGKILL"), 300);
    try {
      await using _lock = await OutputLock.take(`${dir}/a`, "sft");
      assert.match(await Deno.readTextFile(`${dir}/.a.lock`), /"task":"sft"/);
    } finally {
      clearTimeout(kill);
      await process.status;
      await process.stdout.cancel();
    }
  });
});

Deno.test("OutputLock takes the folders that it made with it, but none that others have written to", async () => {
  await withFiles({}, async (dir) => {
    {
      await using _a = await OutputLock.take(`${dir}/deep/er/a`, "data");
      await using _b = await OutputLock.take(`${dir}/other/b`, "data");
      await Deno.writeTextFile(`${dir}/other/b`, "");
      assert.deepEqual(filesIn(dir), [
        "deep/",
        "deep/er/",
        "deep/er/.a.lock",
        "other/",
        "other/.b.lock",
        "other/b",
      ]);
    }
    assert.deepEqual(filesIn(dir), ["other/", "other/b"]);
  });
});

Deno.test("OutputLock.take() writes to no file that a link in its place names", async () => {
  await withFiles({ precious: "mine" }, async (dir) => {
    await Deno.symlink(`${dir}/precious`, `${dir}/.a.lock`);
    await assert.rejects(OutputLock.take(`${dir}/a`, "sft"), {
      name: "UserError",
      message: `Cannot lock ${dir}/.a.lock: it is no file, expected one or none. Remove it`,
    });
    assert.equal(await Deno.readTextFile(`${dir}/precious`), "mine");
  });
});

Deno.test("OutputLock.take() refuses an output that is a link to a file or to nothing, and takes a folder's", async () => {
  await withFiles({ "big/items.npy": "mine", "big/run/config.json": "{}" }, async (dir) => {
    const links: [string, string][] = [["items.npy", "items.npy"], ["new", "nothing"], ["run", "run"]];
    for (const [name, target] of links) await Deno.symlink(`${dir}/big/${target}`, `${dir}/${name}`);
    for (const [name, target] of links.slice(0, 2)) {
      await assert.rejects(OutputLock.take(`${dir}/${name}`, "embed"), {
        name: "UserError",
        message: new RegExp(`^Cannot write ${dir}/${name}: it is a link to ${dir}/big/${target}, `),
      });
    }
    await using _lock = await OutputLock.take(`${dir}/run/`, "sft");
    assert.deepEqual(filesIn(`${dir}/big`), [".run.lock", "items.npy", "run/", "run/config.json"]);
  });
});

Deno.test("a process that exits without its last steps leaves no lock file", async () => {
  await withFiles({}, async (dir) => {
    const program = `import { OutputLock } from ${JSON.stringify(module)};
await OutputLock.take(${JSON.stringify(`${dir}/a`)}, "sft");
await Deno.stat(${JSON.stringify(`${dir}/.a.lock`)});
Deno.exit(130);`;
    await Deno.writeTextFile(`${dir}/exits.ts`, program);
    const config = fileURLToPath(new URL("../../../../deno.json", import.meta.url));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, `${dir}/exits.ts`],
    }).output();
    assert.equal(code, 130, new TextDecoder().decode(stderr));
    assert.deepEqual(filesIn(dir), ["exits.ts"]);
  });
});
