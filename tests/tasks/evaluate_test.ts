import assert from "node:assert/strict";
import { join } from "node:path";
import { filesIn, genrec, withRun } from "./genrec.ts";

async function evaluate(dir: string, ...flags: string[]) {
  const args = ["evaluate", "--run", "run", "--data", "data", "--out", "eval", ...flags];
  const { code, stdout, stderr } = await genrec(dir, args);
  assert.equal(code, 0, stderr);
  const metrics = JSON.parse(await Deno.readTextFile(join(dir, "eval/metrics.json")));
  const predictions = await Deno.readTextFile(join(dir, "eval/predictions.jsonl"));
  return { stdout, metrics, predictions };
}

Deno.test("evaluate writes metrics.json and one prediction a user", async () => {
  await withRun(async (dir) => {
    const { stdout, metrics, predictions } = await evaluate(dir, "--beams", "50");
    assert.deepEqual(filesIn(join(dir, "eval")), ["metrics.json", "predictions.jsonl"]);
    assert.match(
      stdout,
      /^Memory: about [\d.]+ MiB: [\d.]+ KiB for 1 users at once, .* of the process\ntest, 1 users +HR@1 +HR@5 +HR@10/,
    );
    const { split, users, beams, invalid, duplicates, checkpoint, hr, ndcg } = metrics;
    assert.deepEqual({ split, users, beams, invalid, duplicates, checkpoint }, {
      split: "test",
      users: 1,
      beams: 50,
      invalid: 0,
      duplicates: 0,
      checkpoint: (await Deno.readTextFile(join(dir, "run/best"))).trim(),
    });
    assert.deepEqual(Object.keys(hr), ["1", "3", "5", "10", "20", "50"]);
    assert.ok(metrics.secondsPerUser > 0);
    assert.equal(metrics.coverage[5], 1);
    assert.equal(metrics.gini[5], 0); // the first five of four items are all of them
    assert.deepEqual(metrics.slices.historyLength["1-2"].users, 1);
    assert.match(stdout, /show 100\.0 % of the catalogue, Gini 0\.0000 /);

    const lines = predictions.trimEnd().split("\n");
    assert.equal(lines.length, 1);
    const { user, history, target, items, titles, scores, rank } = JSON.parse(lines[0]);
    assert.deepEqual([user, history, target], ["A0", [1, 3], 0]);
    // More beams than items: all four are ranked.
    assert.deepEqual(items.toSorted(), [0, 1, 2, 3]);
    assert.equal(titles[items.indexOf(2)], "Steel Rule, 30 cm");
    assert.deepEqual(scores, scores.toSorted((a: number, b: number) => b - a));
    assert.equal(items[rank], 0);
    assert.equal(hr[5], 1);
    assert.equal(ndcg[5], 1 / Math.log2(rank + 2));
    assert.deepEqual(metrics.ci95.hr[5], [1, 1]);
  });
});

Deno.test("evaluate --baselines and --mixture report their own rows", async () => {
  await withRun(async (dir) => {
    const { metrics: { baselines, mixture }, stdout } = await evaluate(
      dir,
      "--beams",
      "4",
      "--baselines",
      "--mixture",
      "1",
    );
    // Bought: item 3 twice, the others once, so the target, item 0, is the second of the popular ones.
    assert.deepEqual([baselines.popularity.hr[1], baselines.popularity.ndcg[3]], [0, 1 / Math.log2(3)]);
    // History 1, 3: 3 led to 2, 1 led to 3, then the history; the target is the last of four.
    assert.deepEqual([baselines.transitions.hr[3], baselines["repeat recent"].hr[3]], [0, 1]);
    // Counts alone know items 2 and 3 only; the model's other two follow with probability 0.
    assert.deepEqual([mixture.weight, mixture.hr[1], mixture.users], [1, 0, 1]);
    assert.match(stdout, /^model \+ 1 transitions .*\n^popularity .*\n^repeat recent .*\n^transitions /m);
  });
});

Deno.test("evaluate gives the same bytes twice, with --json the report alone on stdout", async () => {
  await withRun(async (dir) => {
    const first = await evaluate(dir, "--split", "valid", "--normalisation", "children");
    const second = await evaluate(dir, "--split", "valid", "--normalisation", "children", "--json");
    assert.equal(first.predictions, second.predictions);
    assert.deepEqual(JSON.parse(second.stdout), second.metrics);
    assert.equal(second.metrics.normalisation, "children");
  });
});

Deno.test("evaluate without --data uses the run's own and takes the latest checkpoint on request", async () => {
  await withRun(async (dir) => {
    const { code, stdout } = await genrec(dir, [
      ..."evaluate --run run --out eval --beams 4 --checkpoint latest --limit 1 --json".split(" "),
    ]);
    assert.equal(code, 0);
    const { data, users, hr } = JSON.parse(stdout);
    assert.deepEqual([data, users, Object.keys(hr)], ["data", 1, ["1", "3"]]);
  });
});
