// Directories of models, without a run around them.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { task } from "../../tasks/evaluate.ts";
import { evaluated, withSevenUsers } from "../tasks/seven_users.ts";
import { collector, train, withShop } from "./text_shop.ts";

async function refuses(settings: Record<string, unknown>, message: RegExp): Promise<void> {
  await assert.rejects(
    async () => await task.run(task.config.parse(settings), collector().io),
    (error: Error) => {
      assert.ok(error instanceof UserError, `${error.stack}`);
      assert.match(error.message, message);
      return true;
    },
  );
}

Deno.test("evaluate ranks with a model directory and an index as with the run that it is from", async () => {
  await withSevenUsers(async (dir) => {
    const of = (name: string) => join(dir, name);
    const expected = await evaluated(dir, "eval");
    const [name] = [...Deno.readDirSync(of("run/checkpoints"))].map(({ name }) => name);
    const checkpoint = of(`run/checkpoints/${name}`);
    // The run around it knows data, index and vocabulary.
    const found = await evaluated(dir, "checkpoint", { run: checkpoint + "/", data: "" });
    assert.equal(found.predictions, expected.predictions);
    assert.deepEqual([found.report.checkpoint, found.report.index], [name, of("run/index.json")]);

    cpSync(checkpoint, of("hf"), { recursive: true });
    const hf = { run: of("hf"), sids: of("run/index.json"), data: of("data"), beams: 3 };
    const refused = { ...hf, out: of("other") };
    await refuses(refused, /hf: it has neither a tokenizer\.json nor a vocabulary\.json/);
    cpSync(of("run/vocabulary.json"), of("hf/vocabulary.json"));
    const alone = await evaluated(dir, "alone", hf);
    assert.deepEqual([alone.report.hr, alone.report.checkpoint], [expected.report.hr, "hf"]);
    assert.equal((await evaluated(dir, "short", { ...hf, maxHistory: 1 })).report.maxHistory, 1);

    await refuses({ ...refused, data: "" }, /hf without a dataset: .*Name it with --data/);
    await refuses(
      { ...refused, sids: "" },
      /the index has 6 tokens, vocabulary\.json 4; they differ first at <a_4>/,
    );
    await refuses({ ...refused, data: "synthetic" }, /expected SIDs of 600 items as in the dataset, found 4/);
    await refuses({ ...refused, checkpoint: "step-1" }, /checkpoint step-1 of .*hf: it is a model by itself/);
    await refuses(
      { ...refused, run: of("run") },
      /Cannot use --sids with run .*run: a run is asked as it was trained/,
    );
  });
});

Deno.test("evaluate asks a language model in the words of its prompts.json", async () => {
  await withShop("qwen2", {}, async (dir) => {
    const { run, checkpoint } = await train(dir, { maxSteps: 1 });
    const expected = await evaluated(dir, "eval", { data: "" });
    cpSync(checkpoint, join(dir, "hf"), { recursive: true });
    const hf = { run: join(dir, "hf"), sids: join(run.path, "index.json") };
    const words = { ...hf, prompts: join(run.path, "prompts.json") };
    assert.equal((await evaluated(dir, "hf-eval", words)).predictions, expected.predictions);

    const index = JSON.parse(await Deno.readTextFile(hf.sids));
    await Deno.writeTextFile(join(dir, "new.json"), JSON.stringify({ ...index, 3: ["<a_7>", "<b_0>"] }));
    const other = { ...hf, data: join(dir, "data"), sids: join(dir, "new.json"), out: join(dir, "other") };
    await refuses(other, /its tokenizer lacks 1 of the index's tokens \(<a_7>\)/);
  });
});
