import assert from "node:assert/strict";
import { join } from "node:path";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { task } from "../../../tasks/_stages/quickstart.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { filesIn, genrec, spawn } from "../genrec.ts";

const ARGS = "quickstart --out quick --steps 20 --limit 40".split(" ");

/** Runs the same in this process; what it said. */
async function again(folder: string, ...more: string[]): Promise<string[]> {
  const { io, lines } = collector();
  await task.run(parseArgs(task, ["--out", folder, ...ARGS.slice(3), ...more])!.config, io);
  return lines;
}

Deno.test("quickstart that is stopped by Ctrl-C in the training goes on through all stages, and another start keeps what is there", async () => {
  await withFiles({}, async (dir) => {
    const child = spawn(dir, ARGS);
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/Steps: 20\n/.test(text)) text += (await reader.read()).value ?? assert.fail(`ended: ${text}`);
    child.kill("SIGINT");
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    const [{ code }] = await Promise.all([child.status, child.stderr.cancel()]);
    assert.equal(code, 130);
    assert.match(text, /^Stopped. The same command goes on from here.$/m);
    // Before the first step there is nothing to keep.
    const saved = [...Deno.readDirSync(join(dir, "quick/decoder/checkpoints"))];
    const done = saved.length === 0 ? 0 : Number(/^step-(\d+)$/.exec(saved[0].name)?.[1]);
    assert.ok(done < 20, saved[0]?.name);

    const second = await genrec(dir, ARGS);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /^quick holds an earlier quickstart/);
    for (
      const stage of [
        "1. Data",
        "2. Semantic IDs",
        "3. Training",
        "4. Reinforcement",
        "5. Ranking",
        "6. Evaluation",
        "7. Recommendations",
      ]
    ) {
      assert.ok(second.stdout.includes(`\n${stage}`), stage);
    }
    assert.match(second.stdout, new RegExp(`Finished after ${20 - done} steps`));
    assert.match(second.stdout, /^Done in .* first 10 of 600, NDCG@10 .*; 40 cases:\n +HR@10 {2}NDCG@10\n/m);
    for (const row of ["all of it, ranked", "model, reinforced", "bestsellers"]) {
      assert.match(second.stdout, new RegExp(`${row} +0\\.\\d{4} +0\\.\\d{4}$`, "m"));
    }
    const folder = join(dir, "quick");
    const [names, metrics] = [filesIn(folder)!, join(folder, "eval/rank/metrics.json")];
    for (
      const name of [
        "eval/decoder/predictions.jsonl",
        "decoder/best",
        "decoder.yaml",
        "earlier/decoder/best",
        "earlier/items.yaml",
        "rank/best",
        "rl/verdict.json",
        "rl.yaml",
        "sids/index.json",
      ]
    ) {
      assert.ok(names.includes(name), name);
    }
    const { users, baselines } = JSON.parse(await Deno.readTextFile(metrics));
    assert.equal(users, 40);
    assert.deepEqual(Object.keys(baselines), ["popularity", "repeat recent", "transitions"]);

    const { mtime } = await Deno.stat(metrics);
    const table = (lines: string[]) => lines.filter((line) => / 0\.\d{4} +0\.\d{4}$/.test(line)).slice(-6);
    const third = await again(folder);
    assert.deepEqual((await Deno.stat(metrics)).mtime, mtime);
    assert.deepEqual(table(third), table(second.stdout.split("\n")));

    // What is lost is made again, the rest is kept.
    await Deno.remove(join(folder, "eval"), { recursive: true });
    await again(folder);
    assert.deepEqual(filesIn(folder), names);

    await assert.rejects(again(folder, "--seed", "7"), {
      name: "UserError",
      message: /Cannot go on in .*quick: .*"seed":42.*"seed":7.* Use --force/,
    });
  });
});

Deno.test("quickstart refuses a folder that holds other files, even with --force", async () => {
  await withFiles({ "mine/photo.jpg": "" }, async (dir) => {
    const { code, stderr } = await genrec(dir, ["quickstart", "--out", "mine", "--force"]);
    assert.equal(code, 1);
    assert.match(stderr, /Cannot use mine: it holds files that are no `genrec quickstart`'s/);
    assert.deepEqual(filesIn(dir), ["mine/", "mine/photo.jpg"]);
  });
});
