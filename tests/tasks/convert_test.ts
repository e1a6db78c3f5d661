import assert from "node:assert/strict";
import { join } from "node:path";
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
      shuffle: false,
      seed: 42,
    });
    assert.deepEqual(Object.keys(inputs).length, 6);
    assert.match(inputs["data/item.json"], /^[0-9a-f]{64}$/);

    const args = ["convert", "--from", "ours", "--to", "recbole", "--out", "recbole", "--json"];
    const { code, stdout, stderr } = await genrec(dir, args);
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
    const { code, stdout, stderr } = await genrec(dir, ["convert", ...flags.split(" ")]);
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
    const { code, stderr } = await genrec(dir, ["convert", ...flags.split(" ")]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(await Deno.readTextFile(join(dir, "out/index.json"))), JSON.parse(index));
  });
});

Deno.test("convert leaves nothing behind when it cannot go on", async () => {
  await withData({}, async (dir) => {
    const convert = (...args: string[]) => genrec(dir, ["convert", ...args]);
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
