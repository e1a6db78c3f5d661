import assert from "node:assert/strict";
import { join } from "node:path";
import { parseArgs } from "../../tasks/_cli/cli.ts";
import { task } from "../../tasks/convert.ts";
import { collector } from "../scenarios/text_shop.ts";
import { inSession } from "./_cli/session.ts";
import { filesIn, genrec, withData } from "./genrec.ts";

Deno.test("convert writes any dataset in another format and says what is not carried", async () => {
  await withData({}, async (dir) => {
    const ours = await genrec(dir, ["convert", "--from", "data", "--to", "genrec", "--out", "ours"]);
    assert.equal(ours.code, 0, ours.stderr);
    assert.match(
      ours.stdout,
      /Wrote MiniOneRec dataset data as genrec: items\.parquet, .* in ours\nNothing was left out/,
    );

    const { settings, inputs } = JSON.parse(await Deno.readTextFile(join(dir, "ours/dataset.json")));
    assert.deepEqual(settings, {
      task: "convert",
      from: "data",
      to: "genrec",
      sids: "",
      codeOffset: 0,
      tokenOrder: "text",
      keepLongestOnly: false,
      maxTrainSamples: 0,
      maxValidSamples: 0,
      maxTestSamples: 0,
      rowTasks: [],
      titleHistories: 0,
      shuffle: false,
      seed: 42,
    });
    assert.deepEqual(Object.keys(inputs).length, 6);
    assert.match(inputs["data/item.json"], /^[0-9a-f]{64}$/);

    const args = ["convert", "--from", "ours", "--to", "recbole", "--out", "recbole", "--json"];
    const { code, stdout, stderr } = await inSession(dir, args);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      from: "genrec",
      to: "recbole",
      out: "recbole",
      files: ["data.inter", "data.item"],
      notCarried: ["source and license", "SIDs", "the order of samples", "the history length 2"],
    });
    assert.deepEqual(filesIn(join(dir, "recbole")), ["data.inter", "data.item"]);
  });
});

Deno.test("convert puts other SIDs in place, their codes shifted and their tokens in the order asked for", async () => {
  const index = JSON.stringify({ 0: ["<a_2>"], 1: ["<a_10>"], 2: ["<a_9>"], 3: ["<a_0>"] });
  await withData({ "other.json": index }, async (dir) => {
    const flags =
      "--from data --to mimigenrec --out out --sids data/other.json --code-offset 1 --token-order number";
    const { code, stdout, stderr } = await inSession(dir, ["convert", ...flags.split(" ")]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Not carried: source and license; who a sample's user is; other\.json/);
    const read = async (name: string) => JSON.parse(await Deno.readTextFile(join(dir, "out", name)));
    assert.deepEqual(await read("new_tokens.json"), ["<a_1>", "<a_3>", "<a_10>", "<a_11>"]);
    const [row] = await read("sft/test.json");
    assert.match(row.input, /<a_11>, <a_1>/);
    assert.equal(row.output, "<a_3>");
  });
});

Deno.test("convert takes a folder with an index.json for --sids, as sft does", async () => {
  const index = JSON.stringify({ 0: ["<a_2>"], 1: ["<a_10>"], 2: ["<a_9>"], 3: ["<a_0>"] });
  await withData({ "sids/index.json": index }, async (dir) => {
    const flags = "--from data --to letter --out out --sids data/sids";
    const { code, stderr } = await inSession(dir, ["convert", ...flags.split(" ")]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(await Deno.readTextFile(join(dir, "out/index.json"))), JSON.parse(index));
  });
});

Deno.test("convert leaves nothing behind when it cannot go on", async () => {
  await withData({}, async (dir) => {
    const convert = (...args: string[]) => inSession(dir, ["convert", ...args]);
    const cases: [string[], number, RegExp][] = [
      [
        ["--from", "data", "--to", "genrec", "--out", "data"],
        1,
        /Cannot write folder data: it holds files already/,
      ],
      [
        ["--from", "synthetic", "--to", "mimigenrec", "--out", "x"],
        1,
        /the format needs SIDs, the dataset has none/,
      ],
      [["--from", "synthetic", "--to", "letter", "--out", "x", "--code-offset", "1"], 1, /it has no SIDs/],
      [
        ["--from", "data", "--to", "genrec", "--out", "x", "--code-offset", "-1"],
        1,
        /item 3 by -1: <b_0> would fall/,
      ],
      [["--from", "gone", "--to", "genrec", "--out", "x"], 1, /expected a directory, found nothing/],
      [["--from", "data", "--to", "parquet", "--out", "x"], 2, /Cannot use --to parquet/],
    ];
    for (const [args, code, message] of cases) {
      const result = await convert(...args);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
      assert.deepEqual(filesIn(dir)!.filter((name) => /^x|tmp/.test(name)), []);
    }
  });
});

Deno.test("convert --row-tasks writes the rows of these tasks alone, and --title-histories so many by titles", async () => {
  await withData({}, async (dir) => {
    const rows = async (out: string, ...flags: string[]) => {
      const { io } = collector(), path = join(dir, out);
      const words = ["--from", join(dir, "data"), "--to", "mimigenrec", "--out", path, ...flags];
      await task.run(parseArgs(task, words)!.config, io);
      const counts = async (file: string, of: (row: { ability: string; instruction: string }) => string) => {
        const text = await Deno.readTextFile(join(path, file)).catch(() => "[]");
        return Object.fromEntries(
          [...Map.groupBy(JSON.parse(text) as { ability: string; instruction: string }[], of)]
            .map(([name, { length }]) => [name, length]),
        );
      };
      return [
        await counts("rl/train.json", ({ ability }) => ability),
        Object.values(await counts("sft/train.json", ({ instruction }) => instruction)).length,
        filesIn(path)!.includes("sft/test.json"),
      ];
    };
    const [whole] = await rows("whole");
    const { seq_title2sid: byTitles, seq_rec: next, title_desc2sid: byTexts } = whole as Record<
      string,
      number
    >;
    assert.ok(byTitles > 1 && next > 1 && byTexts > 1, JSON.stringify(whole));
    assert.deepEqual(await rows("1", "--row-tasks", "next-item"), [{ seq_rec: next }, 1, true]);
    assert.deepEqual(await rows("4", "--row-tasks", "titles-to-sid", "--title-histories", "1"), [
      { seq_title2sid: 1 },
      0,
      false,
    ]);
    assert.deepEqual(await rows("2", "--row-tasks", "sid-to-title"), [{}, 1, false]);
    const drawn = await rows("drawn", "--title-histories", "1");
    assert.deepEqual(drawn[0], { seq_rec: next, seq_title2sid: 1, title_desc2sid: byTexts });
    await assert.rejects(() => rows("5", "--row-tasks", "titel-to-sid"), /Did you mean title-to-sid\?/);
  });
});
