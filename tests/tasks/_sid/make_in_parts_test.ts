import assert from "node:assert/strict";
import { join } from "node:path";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { task } from "../../../tasks/sid.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { filesIn } from "../genrec.ts";
import { nested, readJsonIn, sid, withMatrices } from "./command.ts";

const small = ["--levels", "2", "--codebook-size", "4"];
const inParts = ["--memory", "1KB"];

function fails(args: string[], message: RegExp) {
  return assert.rejects(sid(...args), (error) => error instanceof UserError && message.test(error.message));
}

// 16 vectors of 2 numbers and 3 copies of them: 512 bytes. Twice as many are beyond 1 KB.
const twice = [...nested, ...nested.map(([x, y]) => [x + 0.5, y])];

Deno.test("sid says that vectors beyond --memory are read as they are needed, and codes them as those in memory", async () => {
  await withMatrices({ "items.npy": [...twice, [50, 50]] }, {}, async (dir) => {
    const run = (out: string, ...flags: string[]) =>
      sid("--embeddings", join(dir, "items.npy"), "--out", join(dir, out), ...small, ...flags);
    const lines = await run("parts", ...inParts);
    assert.match(lines[0], /The 33 vectors of .*items\.npy are more than --memory 1KB .*\(1 MB\)/);
    assert.match(lines.at(-1)!, /^Wrote .*index\.json.*without a page of the report/);
    await run("whole");
    // A catalogue that is smaller than a sample starts from all of it, as k-means in memory does.
    for (const file of ["index.json", "new_tokens.json"]) {
      assert.deepEqual(await readJsonIn(dir, `parts/${file}`), await readJsonIn(dir, `whole/${file}`));
    }
    const [parts, whole] = [
      await readJsonIn(dir, "parts/sid.report.json"),
      await readJsonIn(dir, "whole/sid.report.json"),
    ];
    for (const field of ["items", "distinct", "changed", "lengths", "beforePolicy", "warnings"]) {
      const { levels: _, lengths: __, items: ___, ...before } = parts.beforePolicy;
      const found = field === "beforePolicy" ? before : parts[field];
      assert.deepEqual(found, whole[field], field);
    }
    await fails(["--inspect", "0", "--sids", join(dir, "parts")], /has no items\.npy.*larger --memory/);
    const other = ["--embeddings", join(dir, "items.npy"), "--out", join(dir, "no"), ...small, ...inParts];
    await fails(
      [...other, "--method", "rvq"],
      /within --memory 1KB: its 33 vectors take .* rqkmeans alone reads/,
    );
    await fails(
      [...other, "--collab", join(dir, "items.npy")],
      /--collab needs both kinds of vectors in memory/,
    );
  });
});

Deno.test("sid beyond --memory goes on where it was stopped, to the same bytes, and not with other settings", async () => {
  await withMatrices({ "items.npy": [...twice, [50, 50]] }, {}, async (dir) => {
    const run = async (out: string, flags: string[], stopAt?: string) => {
      const args = ["--embeddings", join(dir, "items.npy"), "--out", join(dir, out), ...small, ...inParts];
      const { io, lines } = collector((label, done) => label === stopAt && done > 0);
      await task.run(parseArgs(task, [...args, ...flags])!.config, io);
      return lines;
    };
    await run("whole", []);
    const isStopped = { name: "AbortError" };
    await assert.rejects(run("stopped", [], "rqkmeans"), isStopped);
    assert.deepEqual(filesIn(dir)!.filter((name) => name.startsWith("stopped")), []);
    await assert.rejects(run("stopped", [], "nearest-free"), isStopped);
    assert.deepEqual(filesIn(join(dir, "stopped")), [".genrec-kept"]);
    await assert.rejects(
      run("stopped", ["--seed", "7"]),
      /Cannot go on with .*stopped: what was stopped there had another method and settings/,
    );
    const lines = await run("stopped", []);
    assert.equal(lines[1], "Goes on after 2 levels and 33 items that were told apart");
    assert.deepEqual(filesIn(join(dir, "stopped")), filesIn(join(dir, "whole")));
    for (const name of filesIn(join(dir, "whole"))!) {
      assert.deepEqual(
        await Deno.readFile(join(dir, "stopped", name)),
        await Deno.readFile(join(dir, "whole", name)),
        name,
      );
    }
  });
});

Deno.test("sid reads vectors in the order of the id list beside them, and checks them as it goes", async () => {
  const order = [...twice.keys()].reverse();
  const files = {
    "items.ids.json": JSON.stringify(order.map(String)),
    "short.ids.json": JSON.stringify(["0", "1"]),
    "other.ids.json": JSON.stringify(twice.map((_, i) => `i${i}`)),
    "data/item.json": JSON.stringify(Object.fromEntries(twice.map((_, i) => [i, { title: `nail ${i}` }]))),
    "data/inter.json": JSON.stringify({ ann: [0, 1, 2, 3], bob: [4, 5, 6, 7] }),
  };
  const random = new PhiloxStream(1, "wide vectors");
  const bad = Array.from({ length: 40 }, (_, i) => [i === 37 ? NaN : random.normal(), 1, 2, 3]);
  const matrices = {
    "items.npy": order.map((item) => twice[item]),
    "plain.npy": twice,
    "short.npy": twice,
    "other.npy": twice,
    "bad.npy": bad,
  };
  await withMatrices(matrices, files, async (dir) => {
    const args = (name: string, out = name) => [
      ...["--embeddings", join(dir, `${name}.npy`), "--out", join(dir, out), ...small, ...inParts],
      "--unit-length",
    ];
    const data = ["--data", join(dir, "data")];
    await sid(...args("items"), ...data);
    await sid(...args("plain"), ...data);
    assert.deepEqual(await readJsonIn(dir, "items/index.json"), await readJsonIn(dir, "plain/index.json"));
    assert.equal((await readJsonIn(dir, "plain/catalogue.json")).items, 32);
    await fails(args("short"), /has 32 rows, .*short\.ids\.json lists 2 ids, expected one a row/);
    await fails([...args("other"), ...data], /ids "?0"?, .* are missing, of 32 items/);
    await fails(args("bad"), /embeddings of items 37 hold NaN, infinite or huge numbers/);
    await fails([...args("bad"), ...data], /has 40 rows, .* has 32 items, expected one row an item/);
    const cut = (await Deno.readFile(join(dir, "plain.npy"))).slice(0, -4);
    await Deno.writeFile(join(dir, "cut.npy"), cut);
    await fails(args("cut"), /needs 256 bytes of data, the file has 252/);
  });
});
