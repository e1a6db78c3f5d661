import assert from "node:assert/strict";
import { genrec, withRun } from "./genrec.ts";

Deno.test("recommend prints history titles and ranked items with SID, score and title", async () => {
  await withRun(async (dir) => {
    const args = "recommend --run run --data data --history 1,3 --top 2".split(" ");
    const { code, stdout, stderr } = await genrec(dir, args);
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0], /^History, oldest first:/);
    assert.match(lines[1], /^ +1 +<a_1><b_3> +Bob's Clamp$/);
    assert.match(lines[2], /^ +3 +<a_4><b_0> +NA$/);
    assert.match(lines[4], /^ +item +SID +score +title$/);
    assert.equal(lines.length, 7);
    assert.match(lines[5], /^ +1 +[0-3] +<a_\d><b_\d> +-\d+\.\d\d +\S/);
  });
});

Deno.test("recommend --json ranks the whole catalogue where --top allows it", async () => {
  await withRun(async (dir) => {
    const args = "recommend --run run --history 2 --top 10 --beams 1 --json".split(" ");
    const { code, stdout, stderr } = await genrec(dir, args);
    assert.equal(code, 0, stderr);
    const { history, recommendations } = JSON.parse(stdout);
    assert.deepEqual(history, [{ item: 2, sid: "<a_2><b_2>", title: "Steel Rule, 30 cm" }]);
    assert.deepEqual(recommendations.map(({ item }: { item: number }) => item).toSorted(), [0, 1, 2, 3]);
    const scores: number[] = recommendations.map(({ score }: { score: number }) => score);
    assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
    // The scores are log-probabilities of SIDs: together no more than 1.
    assert.ok(scores.reduce((sum, score) => sum + Math.exp(score), 0) < 1);
  });
});
