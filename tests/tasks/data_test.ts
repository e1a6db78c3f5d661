import assert from "node:assert/strict";
import { join } from "node:path";
import { WORKED_EXAMPLE } from "../data/etl/fixture.ts";
import { type Files, withFiles } from "../data/formats/minionerec/fixture.ts";
import { inSession } from "./_cli/session.ts";
import { filesIn, genrec, spawn, withData } from "./genrec.ts";

const FLAGS = "--dataset amazon18 --reviews reviews.json --meta meta.json --user-k 2 --item-k 2 --out out"
  .split(" ");
const WRITTEN = ["dataset.json", "interactions.parquet", "items.parquet", "test.parquet", "train.parquet"]
  .concat(["users.parquet", "valid.parquet"]);

function withLogs(use: (dir: string) => Promise<void>, changes: Files = {}): Promise<void> {
  return withFiles({ ...WORKED_EXAMPLE, ...changes }, use);
}

Deno.test("data writes a dataset, tells each step and prints statistics", async () => {
  await withLogs(async (dir) => {
    const { code, stdout, stderr } = await genrec(dir, ["data", ...FLAGS, "--allow-empty"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^read: 7 reviews, 3 users, 4 items\n2-core: 4 reviews, 2 users, 2 items\n/);
    assert.match(stdout, /^interactions +4$/m);
    assert.match(stdout, /^density +100 %$/m);
    assert.match(stdout, /Wrote dataset\.json, .* in out\n$/);
    assert.deepEqual(filesIn(join(dir, "out")), WRITTEN);
  });
});

Deno.test("data --json prints dataset.json and nothing else on stdout", async () => {
  await withLogs(async (dir) => {
    const { code, stdout, stderr } = await inSession(dir, ["data", ...FLAGS, "--allow-empty", "--json"]);
    assert.equal(code, 0, stderr);
    const manifest = JSON.parse(await Deno.readTextFile(join(dir, "out/dataset.json")));
    assert.deepEqual(JSON.parse(stdout), manifest);
    assert.deepEqual(
      [manifest.format, manifest.version, manifest.split, manifest.maxHistory, manifest.settings.titleFilter],
      ["genrec-dataset", 1, "time", 10, "strict"],
    );
  });
});

Deno.test("data says on success which bad lines it left out", async () => {
  const changes = { "reviews.json": WORKED_EXAMPLE["reviews.json"] + "{\n" };
  await withLogs(async (dir) => {
    const { code, stdout } = await inSession(dir, [
      "data",
      ...FLAGS,
      "--allow-empty",
      "--max-bad-lines",
      "1",
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /^Left out 1 bad line of reviews:\n {2}reviews\.json line 8: no JSON/m);
  }, changes);
});

Deno.test("data that fails exits with 1 and one clear message, and leaves no folder", async () => {
  await withLogs(async (dir) => {
    const { code, stderr } = await inSession(dir, ["data", ...FLAGS]);
    assert.equal(code, 1);
    assert.match(stderr, /^error: Cannot split 2 samples: valid would be empty\./);
    assert.deepEqual(filesIn(dir), ["meta.json", "reviews.json"]);
  });
});

Deno.test("data without its flags, or with a date or size that is none, exits with 2", async () => {
  await withLogs(async (dir) => {
    const none = await inSession(dir, ["data"]);
    assert.deepEqual([none.code, none.stderr], [
      2,
      "error: Name --dataset, --reviews and --out, or a dataset to --check. See `genrec data --help`\n",
    ]);
    const date = await inSession(dir, ["data", ...FLAGS, "--start", "October"]);
    assert.equal(date.code, 2);
    assert.match(date.stderr, /Cannot use --start October: expected a date such as 2016-10 or 2016-10-31/);
    const size = await inSession(dir, ["data", ...FLAGS, "--memory", "lots"]);
    assert.equal(size.code, 2);
    assert.match(size.stderr, /Cannot use --memory lots: expected a size such as 1GB or 800MB/);
  });
});

Deno.test("data --check counts a foreign dataset, and lists the faults of a broken one", async () => {
  await withData({}, async (dir) => {
    const sound = await inSession(dir, ["data", "--check", "data"]);
    assert.equal(sound.code, 0, sound.stderr);
    assert.match(sound.stdout, /^data, a dataset of format MiniOneRec, split time, histories up to 2\n/);
    assert.match(sound.stdout, /^items +4$/m);
    assert.match(sound.stdout, /\nNo fault found in data\n$/);
  });
  await withLogs(async (dir) => {
    await inSession(dir, ["data", ...FLAGS, "--allow-empty"]);
    await Deno.copyFile(join(dir, "out/train.parquet"), join(dir, "out/valid.parquet"));
    const { code, stderr } = await inSession(dir, ["data", "--check", "out"]);
    assert.equal(code, 1);
    assert.match(stderr, /^error: out has \d+ faults?:\n/);
    assert.match(stderr, /valid\.parquet: expected the SHA-256 [0-9a-f]{64} of dataset\.json/);
  });
});

Deno.test("data that is interrupted stops and leaves nothing behind", async () => {
  // Large enough to be at work for a while: the signal comes when the engine is open.
  const line = (n: number) =>
    `{"reviewerID":"u${n % 9973}","asin":"i${n % 997}","overall":5,"unixReviewTime":${n}}\n`;
  const reviews = Array.from({ length: 400_000 }, (_, n) => line(n)).join("");
  await withLogs(async (dir) => {
    const child = spawn(dir, ["data", ...FLAGS, "--title-filter", "off"]);
    while (!filesIn(dir)!.some((path) => path.endsWith("/work.duckdb"))) {
      await new Promise((done) => setTimeout(done, 20));
    }
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    assert.equal(code, 130, new TextDecoder().decode(stderr));
    assert.deepEqual(filesIn(dir), ["meta.json", "reviews.json"]);
  }, { "reviews.json": reviews });
});
