import assert from "node:assert/strict";
import { join } from "node:path";
import { runEtegrec, task } from "../../tasks/etegrec.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { TINY, withToys } from "../tasks/etegrec_toys.ts";
import { collector } from "./text_shop.ts";

/** Trains into `dir/out`, without an evaluation at the end. */
async function train(dir: string, out: string, settings: Record<string, unknown>, quiet = collector()) {
  const given = {
    data: join(dir, "toys"),
    embeddings: join(dir, "text.npy"),
    out: join(dir, out),
    evaluate: [],
  };
  const report = await runEtegrec(task.config.parse({ ...given, ...TINY, ...settings }), quiet.io);
  return { report, lines: quiet.lines };
}

/** Weights that a stage ended with. */
async function weights(dir: string, stage: string, file: string): Promise<Uint8Array> {
  return await Deno.readFile(join(await new RunDirectory(join(dir, stage)).checkpoint("latest"), file));
}

Deno.test("genrec etegrec stopped in its tokenizer or in reinforcement goes on to the same bytes", async () => {
  await withToys(async (dir) => {
    const settings = {
      finetuneEpochs: 0,
      rlSteps: 3,
      rlReward: ["semantic"],
      rlNumGenerations: 3,
      rlPromptsPerStep: 2,
    };
    const whole = await train(dir, "whole", settings);
    assert.deepEqual(Object.keys(whole.report!.stages), ["joint", "rl"]);
    for (const label of ["tokenizer", "rl"]) {
      const out = `stopped-${label}`;
      const stop = collector((of, done) => of === label && done > 0);
      const stopped = await train(dir, out, settings, stop);
      assert.equal(stopped.report, undefined);
      assert.match(
        stopped.lines.at(-1)!,
        /^Stopped, .* is saved up to its last checkpoint. Continue with: genrec/,
      );
      // As of a run from before there was the setting: it has the default.
      const config = join(dir, out, "config.json");
      const { dropout: _, ...older } = JSON.parse(await Deno.readTextFile(config));
      await Deno.writeTextFile(config, JSON.stringify(older));
      const { report } = await train(dir, out, { ...settings, resume: true });
      assert.equal(report!.best, whole.report!.best);
      for (
        const [stage, file] of [["tokenizer", "rqvae"], ["joint", "model"], ["rl", "model"]]
      ) {
        const name = `${file}.safetensors`;
        assert.deepEqual(
          await weights(dir, `${out}/${stage}`, name),
          await weights(dir, `whole/${stage}`, name),
          `${label}: ${stage}`,
        );
      }
    }
  });
});
