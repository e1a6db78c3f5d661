import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { EtlConfig } from "../../../data/etl/config.ts";
import { makePlain } from "../../../data/etl/read/plain_file.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";
import { build, jsonLines, readTables, WORKED_EXAMPLE, WORKED_FLAGS } from "./fixture.ts";

/** Builds in a folder with the worked example and `changes`; it must fail with `message` and leave nothing behind. */
async function fails(
  changes: Record<string, string | Uint8Array>,
  flags: Partial<EtlConfig>,
  message: string | RegExp,
): Promise<void> {
  await withFiles(WORKED_EXAMPLE, async (dir) => {
    for (const [name, content] of Object.entries(changes)) {
      await Deno.writeFile(
        `${dir}/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    const before = [...Deno.readDirSync(dir)].map(({ name }) => name);
    await assert.rejects(build(dir, { ...WORKED_FLAGS, ...flags }), (error: Error) => {
      assert.equal(error.name, "UserError", String(error.stack));
      const found = error.message.replaceAll(dir + "/", "");
      if (typeof message === "string") assert.equal(found, message);
      else assert.match(found, message);
      return true;
    });
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), before);
  });
}

const good = WORKED_EXAMPLE["reviews.json"].trimEnd().split("\n");
/** Lines with faults of each kind between good ones; blank lines are none. */
const FAULTY = [
  good[0],
  "",
  '{"reviewerID":"u1","asin":"B","over',
  ...good.slice(1),
  '{"asin":"B","overall":5,"unixReviewTime":9}',
  "[1, 2]",
  '{"reviewerID":"u1","asin":"","overall":5,"unixReviewTime":9}',
  '{"reviewerID":"u1","asin":"B","overall":5,"unixReviewTime":"soon"}',
  '{"reviewerID":"u1","asin":"B","overall":"five","unixReviewTime":9}',
].join("\n");

Deno.test("bad lines are counted, and the first five shown with file, line and fault", async () => {
  const expected = `Cannot use the reviews: 6 bad lines, expected at most 0.
  reviews.json line 3: no JSON (Unterminated string in JSON at position 35): {"reviewerID":"u1","asin":"B","over
  reviews.json line 10: no user in reviewerID: {"asin":"B","overall":5,"unixReviewTime":9}
  reviews.json line 11: a JSON list, expected one object a line: [1, 2]
  reviews.json line 12: no item in asin: {"reviewerID":"u1","asin":"","overall":5,"unixReviewTime":9}
  reviews.json line 13: no time in unixReviewTime: {"reviewerID":"u1","asin":"B","overall":5,"unixReviewTime":"soon"}
Mend the file, check --dataset, or leave the lines out with --max-bad-lines 6`;
  await fails({ "reviews.json": FAULTY }, {}, expected);
  await fails({ "reviews.json": FAULTY }, { maxBadLines: 5 }, /6 bad lines, expected at most 5/);
});

Deno.test("bad lines that are accepted are left out and told in dataset.json", async () => {
  await withFiles({ ...WORKED_EXAMPLE, "reviews.json": FAULTY }, async (dir) => {
    const { manifest } = await build(dir, { ...WORKED_FLAGS, maxBadLines: 6 });
    assert.equal(manifest.statistics.interactions, 4);
    assert.equal(manifest.badLines.reviews.count, 6);
    assert.deepEqual(manifest.badLines.reviews.first.map(({ place }) => place.split(" ").at(-1)), [
      "3",
      "10",
      "11",
      "12",
      "13",
    ]);
    assert.deepEqual((await readTables(dir)).users.id, ["u1", "u2"]);
  });
});

Deno.test("bad lines of a compressed file among several are found in it", async () => {
  const changes = { "more.json.gz": gzipSync(`${good[0]}\nnot JSON\n`) };
  await fails(
    changes,
    { reviews: ["reviews.json", "more.json.gz"] },
    /1 bad line, .*\n {2}more\.json\.gz line 2: no JSON/,
  );
});

Deno.test("a line of items without its id is a bad line", async () => {
  const meta = WORKED_EXAMPLE["meta.json"] + '{"title":"Item E"}\n';
  await fails(
    { "meta.json": meta },
    {},
    /^Cannot use the items: 1 bad line, expected at most 0.\n {2}meta\.json line 5: no id of the item/,
  );
  // Also where no title is left to go on with.
  await fails({ "meta.json": '{"title":"Item E"}\n' }, {}, /^Cannot use the items: 1 bad line/);
});

Deno.test("Python lines that are none and CSV lines of the wrong width are bad lines", async () => {
  const python = "{'asin': 'A', 'title': 'Tape'}\n{'asin': 'B', 'title': open('x')}\n";
  await fails(
    { "meta.json": python },
    { dataset: "amazon14" },
    /1 bad line.*\n {2}meta\.json line 2: no Python dict: \{'asin': 'B', 'title': open\('x'\)\}/,
  );
  const csv = "u,i,t\na,x,1\nb\nc,y,2,3\n,z,3\n";
  const columns = { user: "u", item: "i", time: "t", meta: [] };
  await fails(
    { "log.csv": csv },
    { dataset: "generic", reviews: ["log.csv"], ...columns },
    new RegExp([
      "3 bad lines, expected at most 0\\.",
      "  log\\.csv line 3: expected 3 cells as in the header, found 1: b",
      "  log\\.csv line 4: expected 3 cells as in the header, found 4: c,y,2,3",
      "  log\\.csv line 5: no user in u: ,z,3",
    ].join("\n")),
  );
});

Deno.test("a torn gzip file is an error, not a short log, and a damaged one too", async () => {
  // Enough text that what is left of it holds whole lines.
  const whole = gzipSync(
    Array.from({ length: 5000 }, (_, n) => good[n % 7].replace("works", `works ${n}`)).join("\n"),
  );
  const flags = { reviews: ["log.json.gz"] };
  const torn = whole.subarray(0, whole.length >> 1);
  await fails(
    { "log.json.gz": torn },
    flags,
    "Cannot read log.json.gz as gzip: the file ends too early. Download it again and compare its size",
  );
  const damaged = Uint8Array.from(whole, (byte, i) => i === whole.length >> 1 ? byte ^ 255 : byte);
  await fails({ "log.json.gz": damaged }, flags, /^Cannot read log\.json\.gz as gzip: the file is damaged/);
  await fails({ "log.json.gz": "plain text" }, flags, /log\.json\.gz/);
});

Deno.test("files that are missing, empty or folders are named with their flag", async () => {
  await fails(
    {},
    { reviews: ["none.json"] },
    "Cannot read --reviews none.json: no such file. Check the path",
  );
  await fails({}, { meta: ["none*.json"] }, "Cannot read --meta none*.json: no such file. Check the path");
  await fails(
    { "reviews.json": "" },
    {},
    "Cannot read --reviews reviews.json: the file is empty. Download or export it again",
  );
  await fails({}, { reviews: ["."] }, /^Cannot read --reviews \.: it is a folder\. Name its files/);
  await fails({ "reviews.json": "\n\n" }, {}, "Cannot make a dataset: the files of --reviews hold no review");
});

Deno.test("a pointer of Git LFS in place of raw data is called one, whatever reads the file", async () => {
  const pointer = "version https://git-lfs.github.com/spec/v1\n" +
    `oid sha256:${"4f1b".repeat(16)}\nsize 988097824\n`;
  const message = (name: string) =>
    new RegExp(`^Cannot read ${name}: it is a Git LFS pointer, .* run \`git lfs pull\` in its repository`);
  for (const name of ["log.parquet", "log.json.gz", "log.csv"]) {
    await fails({ [name]: pointer }, { reviews: [name] }, message(name));
    await fails({ [name]: pointer }, { meta: ["log*"] }, message(name));
  }
});

Deno.test("a file of an unknown kind, or of another source's columns, is told apart from bad lines", async () => {
  await fails(
    { "reviews.xlsx": "x" },
    { reviews: ["reviews.xlsx"] },
    /expected a name that ends in \.json, \.jsonl, \.csv/,
  );
  await fails(
    { "r.csv": "who,what\na,b\n" },
    { reviews: ["r.csv"] },
    "Cannot read r.csv: expected a column reviewerID, found who, what. Check --dataset and the names of columns",
  );
  await fails(
    { "r.parquet": "no Parquet" },
    { reviews: ["r.parquet"] },
    /^Cannot read the raw files: .*r\.parquet/,
  );
  await fails(
    { "r.csv": "a,b\n" },
    { dataset: "movielens", reviews: ["reviews.json"] },
    /as MovieLens: expected a \.csv or \.dat file/,
  );
});

Deno.test("a mapping of columns that does not suffice says which flag is missing", async () => {
  const csv = { "r.csv": "u,i,t\na,b,1\n" };
  const flags = { dataset: "generic", reviews: ["r.csv"], meta: [] };
  await fails(csv, flags, "Cannot read r.csv: no column for the user. Name it with --user");
  await fails(
    csv,
    { ...flags, user: "u", item: "i" },
    /^Cannot split by time: no column of times\. Name it with --time/,
  );
  await fails(
    csv,
    { ...flags, user: "u", item: "i", time: "t", meta: ["meta.json"] },
    /without a column of titles\. Name it with --title/,
  );
  await fails({}, { meta: [] }, /^Cannot make a dataset of amazon18 without --meta/);
});

Deno.test("flags that do not go together are told before anything is read", async () => {
  await fails(
    {},
    { brand: "maker" },
    "Cannot use --brand with --dataset amazon18, whose columns are known. Use --dataset generic",
  );
  await fails(
    {},
    { start: "2018-11", end: "2016-10" },
    "Cannot use the window from 2018-11 to 2016-10: expected --start before --end",
  );
  await fails(
    {},
    { expandWindow: true },
    "Cannot expand a window without --start. Name its first day, or drop --expand-window",
  );
  await fails(
    { "log.csv": "u,i\na,x\n" },
    { dataset: "generic", reviews: ["log.csv"], meta: [], user: "u", item: "i", time: "u" },
    "Cannot use the column u as --user and as --time: expected a column for each. Name another",
  );
  const timed = { dataset: "generic", reviews: ["log.csv"], meta: [], user: "u", item: "i", time: "t" };
  await fails(
    { "log.csv": "u,i,t\na,x,1\n" },
    { ...timed, timeUnit: "seconds", timeFormat: "%Y" },
    "Cannot read times by --time-format %Y and as --time-unit seconds: expected one of them. Leave one out",
  );
  for (const timeFormat of ["%Q", "%Y %", "%-Y"]) {
    assert.throws(() => EtlConfig.parse({ timeFormat }), /expected strptime's marks/);
  }
  assert.equal(EtlConfig.parse({ timeFormat: "%-d.%m.%Y %% %H:%M" }).timeFormat, "%-d.%m.%Y %% %H:%M");
});

Deno.test("a step that leaves nothing is named with what went in", async () => {
  await fails(
    {},
    { userK: 4, itemK: 4 },
    "Cannot make a dataset: no review is left after 4-core, 7 went in. Lower --user-k and --item-k",
  );
  await fails(
    {},
    { start: "2016-10", end: "2018-11" },
    /no review is left after window 2016-10-01 to 2018-11-01, 7 went in\. The reviews are from 1970-01-01/,
  );
  await fails(
    { "meta.json": jsonLines([{ asin: "X", title: "Item X" }]) },
    {},
    /no review is left after leaving out 7 of items that --meta does not have: items are called "A" in --reviews and "X" in/,
  );
  await fails(
    { "meta.json": jsonLines([{ asin: "A" }]) },
    {},
    /no item of meta\.json has a title that passes the title filter/,
  );
});

Deno.test("an empty split is an error unless it is accepted", async () => {
  await fails(
    {},
    { allowEmpty: false },
    "Cannot split 2 samples: valid would be empty. Use more data or another --split, or accept it with --allow-empty",
  );
  const single = jsonLines([{ reviewerID: "u", asin: "A", overall: 5, unixReviewTime: 1 }]);
  await fails(
    { "reviews.json": single },
    { userK: 1, itemK: 1 },
    /^Cannot make samples: no user has two interactions/,
  );
});

Deno.test("an address that cannot be read is a clear error, with DuckDB's network extension or without", async () => {
  const address = "http://127.0.0.1:1/reviews.json";
  const how =
    /^Cannot read (http:.*extension httpfs could not be loaded.*download the file|the raw files: .*127\.0\.0\.1)/;
  await fails({}, { reviews: [address] }, how);
});

Deno.test({
  name: "a full disk is told as one, with the file that was read",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await withFiles({ "log.csv": "user,item\nu,A\n" }, async (dir) => {
      const copy = {
        source: `${dir}/log.csv`,
        path: "/dev/full",
        format: { kind: "csv", delimiter: ",", header: true, quote: '"' },
        columns: ["user", "item"],
        oneLine: [],
        text: { encoding: "auto" },
      } as const;
      await assert.rejects(makePlain(copy), {
        name: "UserError",
        message: /^Cannot copy .*log\.csv: No space left on device .*\. Free space beside --out/,
      });
    });
  },
});
