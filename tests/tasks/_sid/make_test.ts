import assert from "node:assert/strict";
import { join } from "node:path";
import { readNpy } from "../../../base/npy.ts";
import { UserError } from "../../../base/user_error.ts";
import { UsageError } from "../../../tasks/_cli/cli.ts";
import { SID_METHODS } from "../../../sid/methods/by_name.ts";
import { filesIn } from "../genrec.ts";
import { nested, npyOf, readJsonIn, sid, withMatrices } from "./command.ts";

const small = ["--levels", "2", "--codebook-size", "4"];

function fails(args: string[], message: RegExp) {
  return assert.rejects(sid(...args), (error) => error instanceof UserError && message.test(error.message));
}

function misused(args: string[], message: RegExp) {
  return assert.rejects(sid(...args), (error) => error instanceof UsageError && message.test(error.message));
}

Deno.test("sid writes codes from 1, in the style and order of a constrained index, if told so", async () => {
  await withMatrices({ "items.npy": nested }, {}, async (dir) => {
    const run = (out: string, ...flags: string[]) =>
      sid("--embeddings", join(dir, "items.npy"), "--out", join(dir, out), ...small, ...flags);
    await run("zero");
    await run("one", "--code-offset", "1", "--index-style", "indent2", "--token-order", "number");
    const plus1 = (token: string) => token.replace(/\d+/, (n) => String(Number(n) + 1));
    const zero: Record<string, string[]> = await readJsonIn(dir, "zero/index.json");
    const shifted = Object.fromEntries(Object.entries(zero).map(([item, sid]) => [item, sid.map(plus1)]));
    assert.equal(await Deno.readTextFile(join(dir, "one/index.json")), JSON.stringify(shifted, null, 2));
    assert.deepEqual(
      await readJsonIn(dir, "one/new_tokens.json"),
      ["<a_1>", "<a_2>", "<a_3>", "<a_4>", "<b_1>", "<b_2>", "<b_3>", "<b_4>"],
    );
    // Codes before the policy count from 0 in both, as the published .npy files do.
    const codes = readNpy(await Deno.readFile(join(dir, "one/codes.npy")));
    assert.deepEqual([codes.shape, [...codes.data]], [
      [16, 2],
      [...readNpy(await Deno.readFile(join(dir, "zero/codes.npy"))).data],
    ]);
  });
});

Deno.test("sid codes fused parts so that either alone can tell items apart, and lists items without a vector", async () => {
  // Text knows two groups, purchases two others: together four first codes. Item 0 was never bought.
  const text = nested.map(([x]) => x > 50 ? [0, 3] : [2, 0]);
  const collab = nested.map(([, y], item) => item === 0 ? [0, 0, 0] : y > 50 ? [5, 0, 0] : [0, 7, 0]);
  await withMatrices({ "text.npy": text, "bought.npy": collab }, {}, async (dir) => {
    const [t, c] = ["text.npy", "bought.npy"].map((name) => join(dir, name));
    const out = join(dir, "sids");
    const flags = ["--levels", "1", "--codebook-size", "5", "--collisions", "keep", "--collab-weight", "2"];
    const lines = await sid("--embeddings", t, "--collab", c, "--out", out, ...flags);
    assert.ok(
      lines.some((line) =>
        line === `Note: ${c} has no vector of items 0; what else is known of them decides their codes`
      ),
    );
    const index: string[][] = Object.values(await readJsonIn(dir, "sids/index.json"));
    const codesOf = (corner: number) =>
      new Set(index.slice(4 * corner, 4 * corner + 4).slice(-3).map(([code]) => code));
    assert.deepEqual([0, 1, 2, 3].map((corner) => codesOf(corner).size), [1, 1, 1, 1]);
    assert.equal(new Set([0, 1, 2, 3].flatMap((corner) => [...codesOf(corner)])).size, 4);
    const vectors = readNpy(await Deno.readFile(join(out, "items.npy")));
    assert.deepEqual([vectors.shape, [...vectors.data.subarray(0, 10)]], [[16, 5], [
      1,
      0,
      0,
      0,
      0,
      1,
      0,
      0,
      2,
      0,
    ]]);
    const recipe = await readJsonIn(dir, "sids/sid.json");
    assert.deepEqual(
      recipe.parts.map(({ from, dim, weight }: Record<string, unknown>) => [from, dim, weight]),
      [[t, 2, 1], [c, 3, 2]],
    );
    assert.match(recipe.parts[0].sha256, /^[0-9a-f]{64}$/);
  });
});

Deno.test("sid brings rows into the dataset's order by the id list beside the embeddings", async () => {
  const synthetic = Array.from({ length: 600 }, (_, item) => [item, (item * 7) % 600]);
  const ids = synthetic.map((_, item) => String(item));
  const list = (ids: string[]) => JSON.stringify({ provider: "static", settings: { dim: 2 }, ids });
  const texts = { "moved.ids.json": list(ids.toReversed()) };
  await withMatrices({ "items.npy": synthetic, "moved.npy": synthetic.toReversed() }, texts, async (dir) => {
    for (const name of ["items", "moved"]) {
      const path = join(dir, `${name}.npy`);
      await sid(
        "--embeddings",
        path,
        "--data",
        "synthetic",
        "--codebook-size",
        "8",
        "--out",
        join(dir, name),
      );
    }
    const index = (name: string) => Deno.readTextFile(join(dir, name, "index.json"));
    assert.equal(await index("moved"), await index("items"));
    assert.equal((await readJsonIn(dir, "moved/sid.json")).provider.name, "static");

    const moved = ["--embeddings", join(dir, "moved.npy"), "--data", "synthetic", "--out", join(dir, "none")];
    const write = (ids: string[]) => Deno.writeTextFile(join(dir, "moved.ids.json"), list(ids));
    await write(ids.with(3, "5"));
    await fails(moved, /moved\.ids\.json: ids "5" stand there more than once/);
    await write(ids.with(3, "700"));
    await fails(moved, /moved\.ids\.json: ids "3" are missing, of 600 items/);
    await write(ids.slice(1));
    await fails(moved, /moved\.npy: it has 600 rows, .*moved\.ids\.json lists 599 ids/);
    assert.equal(filesIn(join(dir, "none")), undefined, "nothing is written");
  });
});

Deno.test("sid refuses embeddings of other items, of NaN, in Fortran order, and fewer items than codewords", async () => {
  await withMatrices({ "items.npy": nested }, {}, async (dir) => {
    const path = join(dir, "items.npy");
    const run = ["--embeddings", path, "--out", join(dir, "sids")];
    await fails([...run, "--data", "synthetic"], /items\.npy: it has 16 rows, synthetic has 600 items/);
    await fails([...run, ...small, "--collab", join(dir, "none.npy")], /none\.npy: no such file/);
    await fails([...run, "--codebook-size", "32"], /Cannot learn 32 codewords from 16 items/);
    await Deno.writeFile(path, npyOf(nested.with(3, [NaN, 0]).with(7, [0, Infinity])));
    await fails([...run, ...small], /NaN or infinity in row 3, 7 of 16/);
    const fortran = npyOf(nested);
    const at = new TextDecoder("ascii").decode(fortran).indexOf("False");
    fortran.set(new TextEncoder().encode("True "), at);
    await Deno.writeFile(path, fortran);
    await fails([...run, ...small], /Fortran order/);
    assert.equal(filesIn(join(dir, "sids")), undefined, "nothing is written");
  });
});

Deno.test("sid says which flags are missing or do not go together", async () => {
  await misused(["--out", "sids"], /Name --embeddings FILE\.npy or --data DATASET/);
  await misused(["--embeddings", "items.npy"], /Missing --out/);
  await misused(["--inspect", "12"], /Missing --sids/);
  await misused(["--add", "new.jsonl", "--inspect", "12", "--sids", "sids"], /--inspect and --add together/);
  await misused(["--sids", "sids"], /--sids alone/);
  for (const { name, needs = [] } of SID_METHODS) {
    const run = ["--embeddings", "items.npy", "--out", "sids", "--method", name];
    if (needs.includes("collaborative")) {
      await misused(run, new RegExp(`Missing --collab FILE\\.npy: ${name} aligns`));
      await misused([...run, "--collab", "c.npy", "--fuse", "concat"], /Cannot use --fuse concat/);
    } else {await misused(
        [...run, "--collab", "c.npy", "--fuse", "none"],
        /it would take no notice of --collab/,
      );}
    if (needs.includes("histories")) await misused(run, new RegExp(`Missing --data DATASET: ${name} learns`));
  }
});

Deno.test("sid has no setting of a method that hides a flag of its own", () => {
  const own = [
    "embeddings",
    "data",
    "collab",
    "fuse",
    "out",
    "method",
    "collisions",
    "sids",
    "inspect",
    "add",
    "top",
  ];
  const settings = SID_METHODS.flatMap(({ Config }) => Object.keys(Config.shape));
  assert.deepEqual(settings.filter((key) => own.includes(key)), []);
});
