import assert from "node:assert/strict";
import { join } from "node:path";
import { readMatrix } from "../../base/npy.ts";
import { inSession } from "./_cli/session.ts";
import { filesIn, genrec, withData } from "./genrec.ts";

const TINY = ("baseline --model sasrec --data data --out run --hidden-size 8 --num-hidden-layers 1 " +
  "--num-attention-heads 1 --num-train-epochs 2 --max-length 8").split(" ");

Deno.test("genrec baseline writes a run, its embeddings and, where asked, a report; --resume goes on", async () => {
  await withData({}, async (dir) => {
    const first = await genrec(dir, TINY);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /epoch 2: loss [\d.]+, valid HR@10 1.0000/);
    assert.doesNotMatch(first.stdout, /test/);
    assert.deepEqual(
      filesIn(join(dir, "run"))!.filter((name) => !name.startsWith("checkpoints/")),
      ["best", "catalogue.json", "config.json", "embeddings.npy", "latest", "manifest.json", "metrics.jsonl"],
    );
    const { rows, dim } = readMatrix(await Deno.readFile(join(dir, "run/embeddings.npy")));
    assert.deepEqual([rows, dim], [4, 8]);

    const again = await inSession(dir, TINY);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /Cannot start a run in run: it already holds one/);

    const resume = ["baseline", "--config", "run/config.json", "--out", "run", "--resume"];
    const other = await inSession(dir, [...resume, "--hidden-size", "16"]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /Cannot resume run with hiddenSize 16: it was started with 8/);

    // As of a run from before there was the setting: it has the default.
    const config = join(dir, "run/config.json");
    const { droWeight, ...older } = JSON.parse(await Deno.readTextFile(config));
    assert.equal(droWeight, 0);
    await Deno.writeTextFile(config, JSON.stringify(older));
    const robust = await inSession(dir, [...resume, "--dro-weight", "0.1"]);
    assert.equal(robust.code, 1);
    assert.match(robust.stderr, /Cannot resume run with droWeight 0.1: it was started with 0/);

    const report = await inSession(dir, [...resume, "--evaluate", "test", "--json"]);
    assert.equal(report.code, 0, report.stderr);
    assert.match(report.stderr, /nothing is left to train/);
    const metrics = JSON.parse(report.stdout);
    assert.deepEqual([metrics.split, metrics.users, metrics.model], ["test", 1, "sasrec"]);
    assert.deepEqual(JSON.parse(await Deno.readTextFile(join(dir, "run/eval-test/metrics.json"))), metrics);
    const [line] = (await Deno.readTextFile(join(dir, "run/eval-test/predictions.jsonl"))).trim().split("\n");
    const { rank, target, items } = JSON.parse(line);
    assert.equal(items.length, 4);
    assert.equal(items[rank], target);
  });
});

Deno.test("genrec baseline refuses what cannot be trained, and leaves no run behind", async () => {
  const cases: [string[], number, RegExp][] = [
    [["--model", "sasrek"], 2, /--model sasrek/],
    [["--num-attention-heads", "3"], 1, /3 heads on a width of 8: heads would be 2.66\d* wide/],
    [["--max-length", "0"], 2, /Cannot use --max-length 0/],
    [["--output-bias"], 1, /Use --no-tie-word-embeddings, or leave out --output-bias/],
  ];
  await withData({}, async (dir) => {
    for (const [flags, expected, message] of cases) {
      const { code, stderr } = await inSession(dir, [...TINY, ...flags]);
      assert.equal(code, expected, stderr);
      assert.match(stderr, message);
      assert.equal(filesIn(join(dir, "run")), undefined);
    }
  });
});

Deno.test("genrec baseline counts where that is all there is to train", async () => {
  await withData({}, async (dir) => {
    const flags = ["baseline", "--model", "markov", "--data", "data", "--out", "run"];
    const other = await inSession(dir, [...flags, "--hidden-size", "8"]);
    assert.equal(other.code, 2);
    assert.match(other.stderr, /Cannot use --hidden-size with the model markov: it is a setting of .*sasrec/);
    const { code, stderr, stdout } = await inSession(dir, [...flags, "--evaluate", "test"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /epoch 1: valid HR@10 1.0000, NDCG@10 [\d.]+, best so far/);
    const { model, users } = JSON.parse(await Deno.readTextFile(join(dir, "run/eval-test/metrics.json")));
    assert.deepEqual([model, users], ["markov", 1]);
    assert.ok(!filesIn(join(dir, "run"))!.includes("embeddings.npy"));
  });
});
