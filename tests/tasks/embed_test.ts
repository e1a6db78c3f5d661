import { ALONE } from "../../base/parallel/world.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMatrix, writeNpy } from "../../base/npy.ts";
import { parseArgs, type TaskIO } from "../../tasks/_cli/cli.ts";
import { embedItems, task } from "../../tasks/embed.ts";
import { type Files, minionerecFiles } from "../data/formats/minionerec/fixture.ts";
import { filesIn, genrec, withData } from "./genrec.ts";

const decoder = fileURLToPath(new URL("../golden/embedding/qwen2_embedding", import.meta.url));
const STATIC = ["--dim", "2", "--fields", "title,description"];
/** Titles that share words: the fixture's own have none in common. */
const items = {
  "item.json": JSON.stringify({
    0: { title: "Blue Tape", description: "Sticky tape" },
    1: { title: "Bob's Clamp", description: "Steel clamp" },
    2: { title: "Steel Rule, 30 cm" },
    3: { title: "Blue Steel Clamp" },
  }),
  "info.txt": minionerecFiles()["info.txt"].replace(/NA/, "Blue Steel Clamp"),
};

/** Runs `genrec embed --data data --out items.npy` in this process. */
async function embed(dir: string, flags: string[], io: Partial<TaskIO> = {}) {
  const args = ["--data", join(dir, "data"), "--out", join(dir, "items.npy"), ...flags];
  await embedItems(parseArgs(task, args)!.config, {
    json: false,
    world: ALONE,
    log() {},
    progress: () => ({ update() {}, stop() {} }),
    signal: new AbortController().signal,
    ...io,
  });
  return await Deno.readFile(join(dir, "items.npy"));
}

const idsOf = async (dir: string) => JSON.parse(await Deno.readTextFile(join(dir, "items.ids.json")));

Deno.test("embed writes one vector an item and an id list that says what they are, the same bytes twice", async () => {
  await withData(items, async (dir) => {
    const { code, stdout, stderr } = await genrec(dir, [
      "embed",
      "--data",
      "data",
      "--out",
      "items.npy",
      "--json",
      ...STATIC,
    ]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(filesIn(dir)!.filter((name) => name.startsWith("items")), [
      "items.ids.json",
      "items.npy",
    ]);
    const bytes = await Deno.readFile(join(dir, "items.npy"));
    const { rows, dim } = readMatrix(bytes);
    assert.deepEqual([rows, dim], [4, 2]);
    const { ids, ...summary } = await idsOf(dir);
    assert.deepEqual(ids, ["0", "1", "2", "3"]);
    assert.deepEqual(JSON.parse(stdout), summary);
    assert.deepEqual([summary.provider, summary.rows, summary.dim, summary.zeros], ["static", 4, 2, []]);
    assert.match(summary.inputs["data/item.json"], /^[0-9a-f]{64}$/);
    assert.deepEqual(await embed(dir, STATIC), bytes);
  });
});

Deno.test("collaborative embeddings depend on train alone", async () => {
  const flags = ["--provider", "collaborative", "--dim", "2"];
  const { "valid.csv": valid, "test.csv": test } = minionerecFiles();
  const otherTarget = valid.replace(",Blue Tape,", ",Bob's Clamp,").replace(',0,"', ',1,"').replace(
    /<a_1><b_2>\n$/,
    "<a_1><b_3>\n",
  );
  assert.notEqual(otherTarget, valid);
  let bytes: Uint8Array | undefined;
  // The same samples the other way round, and another target.
  for (
    const changes of [{}, { "valid.csv": test, "test.csv": valid }, { "valid.csv": otherTarget }] as Files[]
  ) {
    await withData(changes, async (dir) => {
      const found = await embed(dir, flags);
      assert.deepEqual(found, bytes ??= found);
    });
  }
});

Deno.test("embed --provider npy takes rows by the id list beside the file, in any order", async () => {
  await withData({}, async (dir) => {
    const from = join(dir, "theirs.npy");
    await Deno.writeFile(from, writeNpy([5, 1], Float32Array.of(30, 10, 99, 0, 20)));
    await Deno.writeTextFile(join(dir, "theirs.ids.json"), '["3", "1", "other", "0", "2"]');
    const { data } = readMatrix(await embed(dir, ["--provider", "npy", "--from", from]));
    assert.deepEqual([...data], [0, 10, 20, 30]);
    assert.deepEqual((await idsOf(dir)).zeros, [0]);
  });
});

const bad: [name: string, rows: Float32Array, shape: number[], ids: string | undefined, message: RegExp][] = [
  [
    "fewer rows than items",
    new Float32Array(3),
    [3, 1],
    undefined,
    /has 3 rows, expected one for each of 4 items/,
  ],
  [
    "a row for padding",
    new Float32Array(5),
    [5, 1],
    undefined,
    /has 5 rows, .*One row more is often a row for padding/,
  ],
  ["NaN", Float32Array.of(1, NaN, 3, 4), [4, 1], undefined, /NaN or infinity in row 1 of 4/],
  ["one number an item", new Float32Array(4), [4], undefined, /its shape is \(4\), expected \(rows, dim\)/],
  [
    "ids that stand there twice",
    new Float32Array(4),
    [4, 1],
    '["0","1","1","3"]',
    /ids "1" stand there more than once/,
  ],
  ["ids that are missing", new Float32Array(3), [3, 1], '["0","1","3"]', /ids "2" are missing, of 4 items/],
  [
    "more ids than rows",
    new Float32Array(3),
    [3, 1],
    '["0","1","2","3"]',
    /3 rows, expected as many as the 4 ids/,
  ],
];
for (const [name, rows, shape, ids, message] of bad) {
  Deno.test(`embed --provider npy refuses ${name}, and writes nothing`, async () => {
    await withData({}, async (dir) => {
      const from = join(dir, "theirs.npy");
      await Deno.writeFile(from, writeNpy(shape, rows));
      if (ids) await Deno.writeTextFile(join(dir, "theirs.ids.json"), ids);
      await assert.rejects(embed(dir, ["--provider", "npy", "--from", from]), { name: "UserError", message });
      assert.equal(filesIn(dir)!.filter((file) => file.startsWith("items")).length, 0);
    });
  });
}

Deno.test("embed has no more dimensions than texts have, and histories without those that are held out", async () => {
  await withData(items, async (dir) => {
    const { rows, dim } = readMatrix(await embed(dir, []));
    assert.ok(rows === 4 && dim <= 4, `${rows}, ${dim}`);
    await assert.rejects(
      embed(dir, ["--holdout-rows", "1"]),
      /Cannot use --holdout-rows 1 with provider static: it reads no histories/,
    );
    const all = await embed(dir, ["--provider", "collaborative"]);
    const fewer = await embed(dir, ["--provider", "collaborative", "--holdout-rows", "2"]);
    assert.notDeepEqual(fewer, all);
    assert.equal((await idsOf(dir)).holdoutRows, 2);
  });
});

Deno.test("embed refuses texts that share no terms, and a dataset without texts", async () => {
  const strange = Object.fromEntries([..."abcd"].map((letter, item) => [item, { title: letter.repeat(5) }]));
  await withData({ ...items, "item.json": JSON.stringify(strange) }, async (dir) => {
    await assert.rejects(
      embed(dir, ["--fields", "title"]),
      /Cannot embed 4 texts: they share 0 terms, expected 1/,
    );
  });
  await withData(items, async (dir) => {
    await assert.rejects(
      embed(dir, ["--fields", "features"]),
      /none of 4 items has any of features\. Use --provider collaborative/,
    );
    assert.throws(
      () => parseArgs(task, ["--data", "data", "--out", "items.txt"]),
      /expected a name that ends in \.npy/,
    );
    assert.equal(filesIn(dir)!.filter((file) => file.startsWith("items")).length, 0);
  });
});

Deno.test("embed that was stopped goes on where it was, and begins anew with other settings", async () => {
  await withData(items, async (dir) => {
    const flags = ["--provider", "decoder", "--model", decoder, "--save-every", "1"];
    /** Places, in texts, at which work begins; stops at `stopAt`. */
    const run = async (flags: string[], stopAt?: number) => {
      const starts: number[] = [];
      const stop = new AbortController();
      const progress = () => ({
        update(done: number) {
          starts.push(done);
          if (done === stopAt) stop.abort(new Error("stopped"));
        },
        stop() {},
      });
      const work = embed(dir, flags, { progress, signal: stop.signal });
      if (stopAt === undefined) return { starts, bytes: await work };
      await assert.rejects(work, /stopped/);
      return { starts };
    };

    const whole = await run(flags);
    await Deno.remove(join(dir, "items.npy"));
    assert.deepEqual((await run(flags, 2)).starts, [0, 1, 2]);
    assert.ok(filesIn(dir)!.includes("items.npy.partial"));
    // A batch that was cut off while it was written.
    await Deno.writeFile(join(dir, "items.npy.partial"), new Uint8Array(7), { append: true });
    const resumed = await run(flags);
    assert.deepEqual(resumed.starts, [3, 4]);
    assert.deepEqual(resumed.bytes, whole.bytes);
    assert.ok(!filesIn(dir)!.includes("items.npy.partial"));

    await run(flags, 2);
    const other = await run([...flags, "--no-normalize"]);
    assert.deepEqual(other.starts, [0, 1, 2, 3, 4]);
    assert.notDeepEqual(other.bytes, whole.bytes);
  });
});

Deno.test("embed --shards makes the vectors of one process, and says why one failed", async () => {
  await withData(items, async (dir) => {
    // What is off must be off in every process.
    const flags = ["--provider", "decoder", "--model", decoder, "--no-normalize"];
    const { rows, dim, data } = readMatrix(await embed(dir, flags));
    const command = ["embed", "--data", "data", "--out", "parts.npy", "--shards", "2", ...flags];
    const lost = await genrec(dir, [...command, "--shard-adapters", "0,no such adapter"]);
    assert.deepEqual(
      [lost.code, /Cannot embed shard 1\/2: .*no such adapter/.test(lost.stderr)],
      [1, true],
      lost.stderr,
    );
    assert.ok(!filesIn(dir)!.includes("parts.npy"));
    const { code, stderr } = await genrec(dir, command);
    assert.equal(code, 0, stderr);
    const parts = readMatrix(await Deno.readFile(join(dir, "parts.npy")));
    assert.deepEqual([parts.rows, parts.dim], [rows, dim]);
    parts.data.forEach((value, i) =>
      assert.ok(Math.abs(value - data[i]) < 1e-5, `${i}: ${value}, not ${data[i]}`)
    );
    assert.deepEqual(filesIn(dir)!.filter((name) => name.startsWith("parts")), [
      "parts.ids.json",
      "parts.npy",
    ]);
    const fails = (flags: string[], message: RegExp) => assert.rejects(embed(dir, flags), message);
    await fails(
      ["--shard", "0/2"],
      /Cannot embed a shard with provider static: its vectors depend on all texts/,
    );
    await fails(
      ["--provider", "collaborative", "--shards", "2"],
      /Cannot use --shards 2 with provider collaborative/,
    );
    await fails([...flags, "--shards", "2", "--shard", "0/2"], /Cannot use --shards 2 with --shard 0\/2/);
    await fails([...flags, "--shard", "2/2"], /Cannot embed shard 2\/2: expected one from 0\/2 to 1\/2/);
  });
});
