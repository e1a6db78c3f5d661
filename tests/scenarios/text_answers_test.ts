// Reinforcement of answers in words: titles of the catalogue, of which a model writes no others.
import assert from "node:assert/strict";
import { join } from "node:path";
import { task as rl } from "../../tasks/rl.ts";
import { ITEMS, withRows } from "./rows_shop.ts";
import { collector } from "./text_shop.ts";

Deno.test("rl of titles rewards the title that is right, and the model writes it more often", async () => {
  const some = { maxSteps: 120, evalSteps: 120, evalSamples: 2 };
  await withRows(["next-item", "sid-to-title"], some, async (dir) => {
    const out = join(dir, "rl"), { io, lines } = collector();
    await rl.run(
      rl.config.parse({
        run: join(dir, "run"),
        out,
        tasks: ["sid-to-title"],
        rollout: "sample",
        reward: ["rule", "prefix"],
        numGenerations: 8,
        promptsPerStep: 8,
        tokensPerBatch: 1024,
        learningRate: 1e-3,
        lrSchedulerType: "constant",
        warmupRatio: 0,
        maxSteps: 30,
        numTrainEpochs: 30,
        loggingSteps: 5,
        evalSteps: 30,
        evalSamples: 4,
      }),
      io,
    );
    const log = (await Deno.readTextFile(join(out, "metrics.jsonl"))).trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    const [first, ...later] = log.filter(({ rewards }) => rewards).map(({ rewards: { rule, prefix } }) => ({
      rule: rule.mean,
      prefix: prefix.mean,
    }));
    const last = later.at(-1)!;
    assert.match(
      lines.join("\n"),
      /Note: --normalisation children, since answers in words .*\n.*Examples: 40 of sid-to-title/,
    );
    assert.equal(JSON.parse(await Deno.readTextFile(join(out, "model.json"))).normalisation, "children");
    assert.ok(first.rule > 1 / ITEMS && last.rule > first.rule + 0.05, JSON.stringify([first, last]));
    // All titles begin alike, so a wrong one is worth something too, and a right one is worth 1.
    assert.ok(first.prefix > first.rule && last.prefix > last.rule && last.prefix < 1);
  });
});
