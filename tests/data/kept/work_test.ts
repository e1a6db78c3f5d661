import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { type GoOnWith, KeptWork, type WorkState } from "../../../data/kept/work.ts";
import { filesIn } from "../../tasks/genrec.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";

const HIDDEN = ".data.genrec-count";

function goOnWith(log: GoOnWith["log"], keepEvery = 0): GoOnWith {
  return { of: {}, signal: new AbortController().signal, log, keepEvery };
}

/** Runs `use` in a new folder, on the path of a file in it. */
async function inFolder(use: (dir: string, data: string) => Promise<void>): Promise<void> {
  await withFiles({ data: "what is read" }, (dir) => use(dir, join(dir, "data")));
}

Deno.test("KeptWork gives back what was kept last: values, arrays in them, and columns that have grown", async () => {
  await inFolder(async (dir, data) => {
    const large = Float64Array.from({ length: 20_000 }, (_, i) => i / 3);
    const column = new Int32Array(50_000).map((_, i) => 7 * i);
    const values = (step: number) => ({
      step,
      names: new Map([["a", { count: step }]]),
      list: [1, , 3],
      large: large.map((value) => value + step),
      inner: { small: Uint8Array.of(1, 2, step).subarray(1), seen: new Set([step]) },
    });
    const state = (step: number): WorkState<ReturnType<typeof values>> => ({
      values: values(step),
      grown: { own: column.subarray(0, 1000 * step), ...(step < 3 && { early: column.subarray(0, 10) }) },
    });
    {
      await using work = await KeptWork.open<ReturnType<typeof values>>(
        data,
        "count",
        [data],
        goOnWith(assert.fail),
      );
      for (const step of [1, 2, 3]) {
        await work.passed(() => state(step));
        await cp(join(dir, HIDDEN), join(dir, `${step}`), { recursive: true });
      }
    }
    assert.deepEqual(filesIn(dir)!.filter((name) => name.startsWith(".")), []);
    assert.deepEqual(filesIn(join(dir, "3")), [".genrec-kept", "3-1", "own"]);
    for (const step of [1, 2, 3]) {
      await cp(join(dir, `${step}`), join(dir, HIDDEN), { recursive: true });
      // What a kill in the middle of keeping more leaves.
      await Deno.writeFile(join(dir, HIDDEN, "own"), new Uint8Array(99), { append: true });
      await using work = await KeptWork.open<ReturnType<typeof values>>(
        data,
        "count",
        [data],
        goOnWith(assert.fail),
      );
      assert.deepEqual(work.found, {
        ...values(step),
        inner: { small: Uint8Array.of(2, step), seen: new Set([step]) },
      });
      assert.deepEqual(await work.column("own", Int32Array), column.subarray(0, 1000 * step));
      assert.equal(work.has("early"), step < 3);
      await work.passed(() => state(4));
      assert.deepEqual(
        new Int32Array((await Deno.readFile(join(dir, HIDDEN, "own"))).buffer),
        column.slice(0, 4000),
      );
    }
  });
});

Deno.test("KeptWork keeps nothing of work that is short, nor of one that another process does too", async () => {
  await inFolder(async (dir, data) => {
    const state = () => ({ values: 1, grown: {} });
    await using short = await KeptWork.open(data, "count", [data], goOnWith(assert.fail, 1e9));
    await short.passed(state);
    assert.deepEqual(filesIn(dir), ["data"]);
    const program = `import { OutputLock } from ${
      JSON.stringify(import.meta.resolve("../../../base/files/output/lock.ts"))
    };
await OutputLock.take(Deno.args[0], "count");
console.log("locked");
setInterval(() => {}, 1000);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", program, join(dir, HIDDEN)],
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.getReader();
    await lines.read();
    const said: string[] = [];
    {
      await using second = await KeptWork.open(data, "count", [data], goOnWith((line) => said.push(line)));
      for (let i = 0; i < 3; i++) await second.passed(state);
      assert.equal(filesIn(dir)!.includes(`${HIDDEN}/`), false);
    }
    child.kill("SIGKILL");
    await lines.cancel();
    await child.status;
    assert.equal(said.length, 1);
    assert.match(said[0], /^Another count of it is running.*this one is not kept$/);
  });
});

Deno.test("KeptWork says once where nothing can be kept, and lets the work go on", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const said: string[] = [];
  await using work = await KeptWork.open("/proc/data", "count", [], goOnWith((line) => said.push(line)));
  for (let i = 0; i < 3; i++) await work.passed(() => ({ values: 1, grown: {} }));
  assert.equal(said.length, 1);
  assert.match(
    said[0],
    /^Cannot keep how far the count is in \/proc\/\.data\.genrec-count: .*start anew after a stop$/,
  );
});
