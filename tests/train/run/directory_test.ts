import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { RunDirectory } from "../../../train/run/directory.ts";

async function withRun(
  use: (run: RunDirectory) => Promise<void>,
  options?: { saveTotalLimit: number },
): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    const run = new RunDirectory(path, options);
    await run.create(false);
    await use(run);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

const namesIn = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();

Deno.test("RunDirectory.write() on a full disk keeps the old file and leaves no temporary one", async () => {
  await withRun(async (run) => {
    const { path } = run;
    await run.write("a.json", "old");
    // Every write to /dev/full fails as on a full disk.
    await Deno.symlink("/dev/full", `${path}/a.json.tmp`);
    await assert.rejects(() => run.write("a.json", "new"), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /Cannot write .*a\.json: .*No space left.*saved before is intact/);
      return true;
    });
    assert.equal(await Deno.readTextFile(`${path}/a.json`), "old");
    assert.deepEqual(namesIn(path), ["a.json", "checkpoints"]);
  });
});

Deno.test("saveCheckpoint() that fails half way keeps the checkpoint before and leaves no temporary folder", async () => {
  await withRun(async (run) => {
    await run.saveCheckpoint(1, { a: "one", b: "two" }, true);
    // The second file is in a folder that does not exist.
    await assert.rejects(
      () => run.saveCheckpoint(2, { a: "three", "no/such": "four" }, false),
      /Cannot save .*step-2: /,
    );
    assert.deepEqual(namesIn(`${run.path}/checkpoints`), ["step-1"]);
    assert.equal(await Deno.readTextFile(`${await run.checkpoint("latest")}/b`), "two");
  });
});

Deno.test("saveCheckpoint() keeps the latest and the best alone by default, and drops what a killed run left", async () => {
  await withRun(async (run) => {
    await run.saveCheckpoint(1, { a: "1" }, true);
    await Deno.mkdir(`${run.path}/checkpoints/step-2.tmp`);
    await run.saveCheckpoint(3, { a: "3" }, false);
    await run.saveCheckpoint(4, { a: "4" }, false);
    assert.deepEqual(namesIn(`${run.path}/checkpoints`), ["step-1", "step-4"]);
    assert.equal(await run.checkpoint("best"), `${run.path}/checkpoints/step-1`);
    await Deno.writeTextFile(`${run.path}/best`, "../../other\n");
    await assert.rejects(
      run.checkpoint("best"),
      /Cannot use "..\/..\/other" as a file name, which is in .*\/best: expected a plain name/,
    );
    await assert.rejects(run.checkpoint("../x"), /as a file name, which is the name of a checkpoint/);
  });
});

for (
  const [saveTotalLimit, kept] of [
    [1, ["step-10", "step-2"]],
    [2, ["step-10", "step-2"]],
    [3, ["step-10", "step-2", "step-9"]],
    [0, ["step-1", "step-10", "step-2", "step-3", "step-9"]],
  ] as const
) {
  Deno.test(`saveCheckpoint() with saveTotalLimit ${saveTotalLimit} keeps ${kept.join(", ")}`, async () => {
    await withRun(async (run) => {
      for (const step of [1, 2, 3, 9, 10]) await run.saveCheckpoint(step, { a: `${step}` }, step === 2);
      assert.deepEqual(namesIn(`${run.path}/checkpoints`), kept);
    }, { saveTotalLimit });
  });
}

Deno.test("saveCheckpoint() takes files one after the other, and drops them all where one fails", async () => {
  await withRun(async (run) => {
    async function* files(last: string) {
      yield { name: "a", bytes: Uint8Array.of(1, 2) };
      yield { name: "b", bytes: last };
      if (last === "bad") await Promise.reject(new UserError("Cannot make c"));
    }
    await run.saveCheckpoint(1, files("good"), true);
    assert.equal(await Deno.readTextFile(`${await run.checkpoint("latest")}/b`), "good");
    await assert.rejects(() => run.saveCheckpoint(2, files("bad"), true), /^UserError: Cannot make c$/);
    assert.deepEqual(namesIn(`${run.path}/checkpoints`), ["step-1"]);
  });
});

Deno.test("filterLog() drops refused lines and a last one that is cut off", async () => {
  await withRun(async (run) => {
    await run.log({ step: 1 });
    await run.log({ step: 2 });
    await Deno.writeTextFile(`${run.path}/metrics.jsonl`, '{"step":3,"lo', { append: true });
    await run.filterLog(({ step }) => step === 1);
    assert.equal(await run.read("metrics.jsonl"), '{"step":1}\n');
  });
});

Deno.test("saveCheckpoint() of a step that has one replaces it, and leaves nothing else", async () => {
  await withRun(async (run) => {
    await run.saveCheckpoint(3, { "a.txt": "one", "b.txt": "one" }, false);
    await run.saveCheckpoint(3, { "a.txt": "two" }, true);
    const folder = await run.checkpoint("best");
    assert.deepEqual(namesIn(folder), ["a.txt"]);
    assert.equal(await Deno.readTextFile(`${folder}/a.txt`), "two");
    assert.deepEqual(namesIn(`${run.path}/checkpoints`), ["step-3"]);
  });
});

Deno.test("a run whose folder is deleted, moved or replaced while it is written stops", async () => {
  await withRun(async (run) => {
    await run.saveCheckpoint(1, { a: "1" }, true);
    await Deno.rename(run.path, `${run.path}.moved`);
    const deleted = {
      name: "UserError",
      message: new RegExp(`: ${run.path} was deleted or moved while the run was writing it\\. Start again`),
    };
    await assert.rejects(run.log({ step: 1 }), deleted);
    await assert.rejects(run.saveCheckpoint(2, { a: "2" }, true), deleted);
    await assert.rejects(run.write("config.json", "{}"), deleted);
    await Deno.mkdir(run.path);
    await assert.rejects(
      run.saveCheckpoint(2, { a: "2" }, true),
      /was replaced while the run was writing it/,
    );
    assert.deepEqual(namesIn(run.path), []);
    await Deno.remove(`${run.path}.moved`, { recursive: true });
  });
});

Deno.test("checkpoint() puts back the folder that a process was killed in replacing", async () => {
  await withRun(async (run) => {
    await run.saveCheckpoint(1, { a: "1" }, true);
    await Deno.rename(`${run.path}/checkpoints/step-1`, `${run.path}/checkpoints/step-1.old`);
    const resumed = new RunDirectory(run.path);
    assert.equal(await Deno.readTextFile(`${await resumed.checkpoint("latest")}/a`), "1");
    assert.deepEqual(namesIn(`${run.path}/checkpoints`), ["step-1"]);
  });
});

Deno.test("saveCheckpoint() drops no file of checkpoints/ that is not of a checkpoint", async () => {
  await withRun(async (run) => {
    await Deno.writeTextFile(`${run.path}/checkpoints/notes.txt`, "mine");
    await run.saveCheckpoint(1, { a: "1" }, true);
    assert.deepEqual(namesIn(`${run.path}/checkpoints`), ["notes.txt", "step-1"]);
  });
});
