import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../docs/markdown.ts";

/** What `genrec evaluate` leaves, with HR@10 `hr` and NDCG@10 `ndcg`. */
const evaluation = (hr: number, ndcg: number) => ({
  hr: { 5: 0.12, 10: hr },
  ndcg: { 5: 0.09, 10: ndcg },
  ci95: { hr: { 10: [hr - 0.01, hr + 0.01] }, ndcg: { 10: [ndcg - 0.01, ndcg + 0.01] } },
});

Deno.test("industrial.ts --out writes mean and deviation over seeds into the page, from runs that are finished", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    for (const [seed, hr] of [[1, 0.15], [2, 0.17]]) {
      const run = join(folder, "runs", `seed-${seed}`);
      mkdirSync(join(run, "eval-test"), { recursive: true });
      writeFileSync(join(run, "metrics.jsonl"), '{"step":1,"seconds":90}\n');
      const report = {
        ...evaluation(hr, 0.1),
        users: 7,
        beams: 50,
        invalid: 0,
        duplicates: 0,
        secondsPerUser: 0.015,
        mixture: evaluation(0.2, 0.11),
        baselines: { popularity: evaluation(0.05, 0.04) },
      };
      writeFileSync(join(run, "eval-test", "metrics.json"), JSON.stringify(report));
    }
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "bench/results/industrial.ts", "--seeds", "1,2", "--runs", join(folder, "runs")]
        .concat("--out", join(folder, "pages")),
      cwd: root,
      stdout: "null",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const page = Deno.readTextFileSync(join(folder, "pages", "industrial.md"));
    // Mean of .15 and .17, deviation sqrt(2 x .01^2 / 1).
    assert.match(page, /^\| genrec decoder, mean +\|.*\| \.1600 \+- \.0141 +\| \.1000 \+- \.0000 /m);
    assert.match(page, /^\| popularity +\|.*\| \.0400-\.0600, \.0300-\.0500 +\|$/m);
    assert.match(page, /^- training 1\.5, 1\.5 minutes; evaluation 15\.0, 15\.0 ms a user$/m);
    const { main } = JSON.parse(Deno.readTextFileSync(join(folder, "pages", "industrial.json")));
    assert.deepEqual(main.seeds, [1, 2]);
    assert.match(main.command[0], /^deno run -A bench\/results\/industrial\.ts --seeds 1,2/);
    assert.equal(main.raw[1].report.hr[10], 0.17);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
