// Raw logs as people have them: what is read, in which order, and what is said of it.
import assert from "node:assert/strict";
import type { EtlConfig } from "../../../data/etl/config.ts";
import { Engine } from "../../../data/etl/read/engine.ts";
import { sql } from "../../../data/etl/read/sql.ts";
import fc from "../../property.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";
import { build, readTables } from "./fixture.ts";

const FLAGS: Partial<EtlConfig> = {
  dataset: "generic",
  user: "user",
  item: "item",
  userK: 1,
  itemK: 1,
  split: "leave-one-out",
  allowEmpty: true,
};

/** Builds one file of reviews; gives the item ids in the order of the walk, the times, and what was said. */
async function read(name: string, content: string | Uint8Array, flags: Partial<EtlConfig> = {}) {
  let result!: { items: string[]; users: string[]; times: (number | null)[]; notes: string[]; form?: string };
  await withFiles({}, async (dir) => {
    await Deno.writeFile(
      `${dir}/${name}`,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    const { manifest } = await build(dir, { ...FLAGS, reviews: [name], time: "ts", ...flags });
    const { items, users, interactions } = await readTables(dir);
    result = {
      items: interactions.item.map((item) => items.id[item]),
      users: users.id,
      times: interactions.time,
      notes: manifest.notes,
      form: manifest.timeForm,
    };
  });
  return result;
}

/** Five events of one user whose true order is A B C D E, with these times for C A B E D. */
const five = (times: readonly string[]) =>
  "user,item,ts\n" + [..."CABED"].map((item, n) => `u,${item},"${times[n]}"\n`).join("");

Deno.test("events are put in order by the whole precision of their times, in every form", async () => {
  const forms: [form: string, times: string[], second: number][] = [
    [
      "milliseconds",
      ["900", "100", "500", "2000", "1000"].map((ms) => String(1600000000000 + Number(ms))),
      1600000000,
    ],
    ["seconds", ["0.9", "0.1", "0.5", "2", "1"].map((s) => `160000000${s}`), 1600000000],
    ["microseconds", ["03", "01", "02", "05", "04"].map((n) => `16000000000000${n}`), 1600000000],
    ["nanoseconds", ["03", "01", "02", "05", "04"].map((n) => `16000000000000000${n}`), 1600000000],
    ["ISO 8601", ["3Z", "1Z", "2Z", "5Z", "4Z"].map((n) => `2020-09-13T12:26:40.00000000${n}`), 1600000000],
    [
      "ISO 8601",
      ["12:26:43Z", "14:26:41+02:00", "12:26:42", "12:26:45", "08:26:44-0400"].map((t) => `2020-09-13 ${t}`),
      1600000001,
    ],
    [
      "digits such as 20180920211310",
      ["43", "41", "42", "45", "44"].map((s) => `202009131226${s}`),
      1600000001,
    ],
    ["digits such as 20180920", ["13", "11", "12", "15", "14"].map((d) => `202009${d}`), 1599782400],
    ["%d.%m.%Y %H:%M", ["13", "11", "12", "15", "14"].map((d) => `${d}.09.2020 10:00`), 1599818400],
    ["%m/%d/%Y %I:%M %p", ["13", "11", "12", "15", "14"].map((d) => `09/${d}/2020 3:04 PM`), 1599836640],
    ["%d-%m-%y", ["13", "11", "12", "25", "14"].map((d) => `${d}-09-99`), 937008000],
    ["%b %d, %Y", ["13", "11", "12", "15", "14"].map((d) => `Sep ${d}, 2020`), 1599782400],
    [
      "%a %b %d %H:%M:%S %z %Y",
      ["43", "41", "42", "45", "44"].map((s) => `Sun Sep 13 12:26:${s} +0000 2020`),
      1600000001,
    ],
  ];
  for (const [form, times, second] of forms) {
    const { items, times: stored, form: found } = await read("log.csv", five(times));
    assert.equal(found, form, times[0]);
    assert.deepEqual(items, [..."ABCDE"], `${form} ${times}`);
    assert.equal(stored[0], second, form);
  }
});

Deno.test("the form of times is said with their period, and what is outside of it is a bad line", async () => {
  const { notes } = await read("log.csv", "user,item,ts\nu,A,20210827211310\nu,B,20210827211311\n");
  assert.deepEqual(notes, [
    "times in ts read as digits such as 20180920211310, from 2021-08-27 to 2021-08-27",
  ]);
  await assert.rejects(
    read("log.csv", "user,item,ts\n" + "u,A,1600000000000\n".repeat(9) + "u,B,1600000000\n"),
    /1 bad line.*\n.* line 11: the time in ts, read as milliseconds, is not from 1990 to 2100: u,B,1600000000/,
  );
  const counted = await read("log.csv", "user,item,ts\nu,A,2\nu,B,1\n");
  assert.deepEqual(counted.items, ["B", "A"]);
  assert.match(
    counted.notes[0],
    /^Warning: times in ts read as seconds, from 1970-01-01 to 1970-01-01: check/,
  );
});

Deno.test("a date that can be read in two ways is refused until its form is named", async () => {
  const log = "user,item,ts\nu,A,10-12-01\nu,B,11-10-02\n";
  await assert.rejects(
    read("log.csv", log),
    /"10-12-01" is 2010-12-01 as %y-%m-%d and 2001-12-10 as %d-%m-%y, and both fit every value\. Say which with --time-format/,
  );
  const { items, times } = await read("log.csv", log, { timeFormat: "%d-%m-%y" });
  assert.deepEqual([items, times[0]], [["A", "B"], Date.UTC(2001, 11, 10) / 1000]);
  await assert.rejects(
    read("log.csv", "user,item,ts\nu,A,soon\nu,B,late\n"),
    /are written in no form that is known/,
  );
  const days = (n: number) => Array.from({ length: 4 }, (_, day) => 1600000000 * n + day * 86400 * n);
  const mixed = [...days(1), ...days(1000)].map((time) => `u,A,${time}\n`).join("");
  await assert.rejects(
    read("log.csv", "user,item,ts\n" + mixed),
    /as seconds and .* as milliseconds, and each fits 4 of 8 values\. Say which with --time-unit seconds$/,
  );
});

Deno.test("a file that is named twice is refused, by its path and by what a glob stands for", async () => {
  await withFiles({ "log.csv": "user,item\nu,A\nu,B\n" }, async (dir) => {
    for (const reviews of [["log.csv", "log.csv"], ["*.csv", "./log.csv"]]) {
      await assert.rejects(
        build(dir, { ...FLAGS, reviews }),
        /log\.csv is named twice, and each of its lines/,
      );
    }
  });
});

Deno.test("lines that repeat an earlier one are told, and left out on demand as a step of their own", async () => {
  const log = "user,item,ts\n" + "u,A,1600000000\n".repeat(6) + "u,B,1600000001\n";
  const { notes, items } = await read("log.csv", log);
  assert.equal(items.length, 7);
  assert.match(
    notes[1],
    /^Warning: 5 repeated lines, with the user, item and time of an earlier one, count each/,
  );
  await withFiles({ "log.csv": log }, async (dir) => {
    const { manifest } = await build(dir, { ...FLAGS, reviews: ["log.csv"], time: "ts", dropRepeats: true });
    assert.deepEqual(manifest.steps.map(({ step, reviews, lost }) => [step, reviews, lost]), [
      ["read", 7, 0],
      ["without repeats", 2, 5],
      ["1-core", 2, 0],
    ]);
  });
});

Deno.test("ties in the order of their items are shuffled by a seed, others and Amazon's keep the order of the file", async () => {
  const items = Array.from({ length: 30 }, (_, n) => 100 + n);
  const log = (order: readonly number[]) =>
    "user,item,ts\n" + order.map((item) => `u,${item},1600000000\n`).join("");
  const sorted = await read("log.csv", log(items));
  assert.match(
    sorted.notes[1],
    /^Warning: same time as the one before: 96\.7 % of interactions; the file has those in the/,
  );
  assert.notDeepEqual(sorted.items, items.map(String));
  // The order depends on seed, user and item alone.
  const reversed = await read("log.csv", log(items.toReversed()));
  assert.deepEqual(reversed.items, sorted.items);
  assert.notDeepEqual((await read("log.csv", log(items), { seed: 1 })).items, sorted.items);
  assert.deepEqual((await read("log.csv", log(items), { ties: "file" })).items, items.map(String));
  const mixed = items.toSorted((a, b) => a * 7 % 30 - b * 7 % 30);
  const kept = await read("log.csv", log(mixed));
  assert.deepEqual(kept.items, mixed.map(String));
  assert.match(kept.notes[1], /kept in file order/);
});

Deno.test("ids keep all digits and meet their items whatever their accents are made of", async () => {
  const lines = ['{"user":18446744073709551617,"item":9007199254740993,"ts":1600000000}'];
  const big = await read(
    "log.jsonl",
    lines.join("\n") + '\n{"user":"18446744073709551617","item":1,"ts":1600000001}\n',
  );
  assert.deepEqual([big.users, big.items], [["18446744073709551617"], ["9007199254740993", "1"]]);
  const log = `user,item,ts\nu,Cafe\u0301,1600000000\nu,B,1600000001\n`;
  await withFiles({ "log.csv": log, "meta.csv": "item,title\nCaf\u00e9,Cup\nB,Bowl\n" }, async (dir) => {
    await build(dir, { ...FLAGS, reviews: ["log.csv"], meta: ["meta.csv"], time: "ts", title: "title" });
    assert.deepEqual((await readTables(dir)).items.title, ["Cup", "Bowl"]);
  });
});

Deno.test("lists in the cells of a CSV are lists, in Python's print and in JSON", async () => {
  const log =
    "user,item,ts\nu,A,1600000000\nu,B,1600000001\nu,C,1600000002\nv,A,1600000000\nv,B,1600000001\n";
  const meta = `item,title,kinds\nA,Ant,"['Tools, all', 'Tape']"\nB,Bee,"[""Glue""]"\nC,[Cat],Plain\n`;
  await withFiles({ "log.csv": log, "meta.csv": meta }, async (dir) => {
    const columns = { title: "title", category: "kinds", time: "ts" };
    await build(dir, { ...FLAGS, reviews: ["log.csv"], meta: ["meta.csv"], ...columns });
    const { items } = await readTables(dir);
    assert.deepEqual(items.categories, [["Tools, all", "Tape"], ["Glue"], ["Plain"]]);
    assert.deepEqual(items.title, ["Ant", "Bee", "[Cat]"]);
  });
});

Deno.test("names in capitals, packed files under other names, byte order marks and Python dicts are read", async () => {
  const csv = "user,item,ts\nu,A,1600000000\nu,B,1600000001\n";
  const { gzipSync, zstdCompressSync } = await import("node:zlib");
  const files: [name: string, content: string | Uint8Array][] = [
    ["LOG.CSV.GZ", gzipSync(csv)],
    ["log.csv", zstdCompressSync(csv)],
    ["log.CSV", "\ufeff" + csv],
    ["log.csv", csv.replaceAll(",", ";")],
    ["log.csv", csv.replaceAll(",", "\t")],
    ["log.csv", csv.replaceAll(",", ", ")],
    // As spreadsheets write them where numbers have commas.
    [
      "log.csv",
      '\ufeff"user";"name, full";"item";"ts"\r\n' +
      csv.slice(13).replaceAll(/u,(.),(.*)\n/g, '"u";"U, ""u""";"$1";"$2"\r\n'),
    ],
    ["log.jsonl", '\ufeff{"user":"u","item":"A","ts":1600000000}\n{"user":"u","item":"B","ts":1600000001}\n'],
    [
      "LOG.JSON",
      "{'user': 'u', 'item': 'A', 'ts': 1600000000}\n{'user': 'u', 'item': 'B', 'ts': 1600000001}\n",
    ],
    [
      "log.json",
      "{\"user\":\"u\",\"item\":\"A\",\"ts\":1600000000}\n{'user': 'u', 'item': 'B', 'ts': 1600000001}\n",
    ],
    ["log.json", '[{"user":"u","item":"A","ts":1600000000},\n{"user":"u","item":"B","ts":1600000001}]'],
  ];
  for (const [name, content] of files) assert.deepEqual((await read(name, content)).items, ["A", "B"], name);
});

Deno.test("every review is accounted for: lines = bad lines + kept + what each step lost", async () => {
  const line = fc.record({
    user: fc.constantFrom("u", "v", ""),
    item: fc.constantFrom("A", "B", "C", "D"),
    ts: fc.constantFrom("1600000000", "1600000001", "1600000002.5", "x"),
    extra: fc.constantFrom("", ",more", '"'),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 3, maxLength: 12 }),
      fc.boolean(),
      async (lines, dropRepeats) => {
        const sound = ["w,A,1600000000", "w,B,1600000003", "w,B,1600000004", "w,A,1600000005"];
        const rows = [...sound, ...lines.map(({ user, item, ts, extra }) => `${user},${item},${ts}${extra}`)];
        // C has no title, D no line.
        const files = {
          "log.csv": `user,item,ts\n${rows.join("\n")}\n`,
          "meta.csv": 'item,title\nA,Ant\nB,Bee\nC,""\n',
        };
        await withFiles(files, async (dir) => {
          const { manifest: { steps, badLines, statistics } } = await build(dir, {
            ...FLAGS,
            reviews: ["log.csv"],
            meta: ["meta.csv"],
            time: "ts",
            title: "title",
            maxBadLines: 100,
            dropRepeats,
          });
          const lost = steps.reduce((sum, step) => sum + step.lost, 0);
          assert.equal(badLines.reviews.count + statistics.interactions + lost, rows.length);
          for (const [s, { reviews, lost }] of steps.entries()) {
            if (s > 0) assert.equal(reviews + lost, steps[s - 1].reviews);
          }
          assert.equal(steps.at(-1)!.reviews, statistics.interactions);
        });
      },
    ),
    { numRuns: 8 },
  );
});

Deno.test("reviews of items that --meta lacks, and of items without a title, are steps of their own", async () => {
  const log = "user,item,ts\n" + [..."ABCDAABB"].map((item, n) => `u,${item},${1600000000 + n}\n`).join("");
  await withFiles({ "log.csv": log, "meta.csv": 'item,title\nA,Ant\nB,Bee\nC,""\n' }, async (dir) => {
    const { manifest, lines } = await build(dir, {
      ...FLAGS,
      reviews: ["log.csv"],
      meta: ["meta.csv"],
      time: "ts",
      title: "title",
    });
    assert.deepEqual(manifest.steps.map(({ step, reviews, lost }) => [step, reviews, lost]), [
      ["read", 8, 0],
      ["items that --meta has", 7, 1],
      ["title filter", 6, 1],
      ["1-core", 6, 0],
    ]);
    assert.deepEqual(lines[1], "items that --meta has: 7 reviews, 1 users, 3 items");
  });
});

Deno.test("items that --meta names again are told; those of a log, which names them again and again, are not", async () => {
  const log =
    "user,item,ts,name\nu,A,1600000000,Ant\nu,B,1600000001,Bee\nu,A,1600000002,Ant\nu,B,1600000003,Bee\n";
  const meta = "item,name\nA,Ant\nB,Bee\nA,Aunt\nA,\n";
  await withFiles({ "log.csv": log, "meta.csv": meta }, async (dir) => {
    const flags = { ...FLAGS, reviews: ["log.csv"], title: "name" };
    const { manifest } = await build(dir, { ...flags, meta: ["meta.csv"] });
    assert.equal(
      manifest.notes[0],
      "lines of --meta for an item that an earlier line names: 2; of each item the last line with a title counts alone",
    );
    assert.deepEqual((await readTables(dir)).items.title, ["Aunt", "Bee"]);
    const ofLog = (await build(dir, { ...flags, force: true })).manifest.notes;
    assert.ok(!ofLog.some((note) => note.includes("--meta")), ofLog.join());
  });
});

Deno.test("ids that are no ids are told: nan of other programs, objects, and columns that are there twice", async () => {
  const rows = (user: string, item: string) =>
    `user,item,ts\nu,A,1600000000\n${user},B,1600000001\nu,${item},1600000002\nv,A,1600000003\n`;
  const { notes, users } = await read("log.csv", rows("NaN", "None"));
  assert.deepEqual(users.toSorted(), ["NaN", "u", "v"]);
  assert.equal(
    notes.find((note) => note.startsWith("Warning: item")),
    'Warning: item "None" of 1 interactions, user "NaN" of 1 interactions: programs write this where an id is missing, ' +
      "and here all of them are one. Leave such lines out of the file unless it is an id",
  );
  const sound = await read("log.csv", rows("w", "C"));
  assert.ok(!sound.notes.some((note) => /programs write/.test(note)), sound.notes.join("\n"));

  await assert.rejects(
    () => read("log.csv", "user,item,ts,item\nu,A,1600000000,B\n"),
    /has more than one column item, so nothing tells which is meant, found user, item, ts, item\. Rename one/,
  );
  // A column that nobody reads may be there twice.
  assert.deepEqual(
    (await read("log.csv", "user,x,item,ts,x\nu,1,A,1600000000,2\nu,1,B,1600000001,2\n")).items,
    ["A", "B"],
  );

  const nested = (id: string) =>
    ["A", "B"].map((item, n) => `{"user":${id},"item":"${item}","ts":160000000${n}}\n`).join("");
  for (const id of ['{"id":1}', "[1]"]) {
    await assert.rejects(
      () => read("log.jsonl", nested(id)),
      /line 1: an object or a list in user, expected a text or a number/,
    );
  }
  for (const id of ["{3f25}", "[a]"]) {
    assert.deepEqual((await read("log.jsonl", nested(JSON.stringify(id)))).users, [id]);
  }
});

Deno.test("Parquet texts that are marked as bytes are texts, and ids of several values are refused", async () => {
  await withFiles({}, async (dir) => {
    {
      using engine = await Engine.open({ folder: `${dir}`, memory: "1GB", threads: 1 });
      const rows =
        sql`SELECT encode('ü') AS "user", 'i' || n AS item, 1600000000 + n AS ts, {a: n} AS s, [n] AS l
        FROM range(4) t(n)`;
      await engine.run(sql`COPY (${rows}) TO ${`${dir}/log.parquet`} (FORMAT parquet)`);
    }
    const flags = { ...FLAGS, reviews: ["log.parquet"], time: "ts" };
    await build(dir, flags);
    assert.deepEqual((await readTables(dir)).users.id, ["ü"]);
    for (const [item, type] of [["s", "STRUCT\\(a BIGINT\\)"], ["l", "BIGINT\\[\\]"]]) {
      await assert.rejects(
        build(dir, { ...flags, item, force: true }),
        new RegExp(
          `log\\.parquet: its column ${item} holds ${type}, expected texts or numbers\\. Name another`,
        ),
      );
    }
  });
});
