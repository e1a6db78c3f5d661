// A finished run is trained on as another run, from its weights.
import assert from "node:assert/strict";
import { join } from "node:path";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";
import { inSession } from "../_cli/session.ts";
import { genrec, TINY_SFT, withRun } from "../genrec.ts";

const weightsOf = async (folder: string) =>
  readSafetensors(await Deno.readFile(join(folder, "model.safetensors")));

Deno.test("sft that is to do more steps than a finished run had names the flag that does, and the flag does it", async () => {
  await withRun(async (dir) => {
    const longer = TINY_SFT.with(TINY_SFT.indexOf("--max-steps") + 1, "9");
    const refused = await genrec(dir, [...longer, "--resume"]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /with maxSteps 9: it was started with 2\. To train on .* --model run and another/,
    );

    const best = (await Deno.readTextFile(join(dir, "run/best"))).trim();
    const start = join(dir, "run/checkpoints", best);
    for (const [out, model] of [["next", "run"], ["third", `run/checkpoints/${best}/`]]) {
      const flags =
        `--data data --model ${model} --max-steps 1 --learning-rate 1e-12 --warmup-steps 0 --ema-decay 0 ` +
        `--weight-decay 0 --out ${out}`;
      const { code, stdout, stderr } = await inSession(dir, ["sft", ...flags.split(" ")]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`Starts from the weights of run/checkpoints/${best}\\n`));
      const [before, after] = [await weightsOf(start), await weightsOf(join(dir, out, "checkpoints/step-1"))];
      assert.deepEqual([...after.keys()], [...before.keys()]);
      for (const [name, { data }] of before) {
        const moved = data.reduce(
          (most, value, i) => Math.max(most, Math.abs(value - after.get(name)!.data[i])),
          0,
        );
        assert.ok(moved < 1e-6, `${name} moved by ${moved}`);
      }
    }
    const evaluated = await inSession(dir, "evaluate --run next --data data --out eval".split(" "));
    assert.equal(evaluated.code, 0, evaluated.stderr);
  });
});

Deno.test("sft refuses to go on from a run of SIDs alone with other SIDs, whose tokens would mean other items", async () => {
  await withRun(async (dir) => {
    const index = JSON.parse(await Deno.readTextFile(join(dir, "run/index.json")));
    [index[0], index[1]] = [index[1], index[0]];
    await Deno.writeTextFile(join(dir, "other.json"), JSON.stringify(index));
    const flags = "sft --data data --sids other.json --model run --max-steps 1 --out next";
    const { code, stderr } = await inSession(dir, flags.split(" "));
    assert.equal(code, 1);
    assert.match(stderr, /Cannot go on from run with these SIDs: they differ from its index\.json/);
  });
});
