import { ALONE } from "../../base/parallel/world.ts";
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { TaskIO } from "../../tasks/_cli/cli.ts";
import { task as evaluate } from "../../tasks/evaluate.ts";
import { rl, task } from "../../tasks/rl.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import { filesIn, genrec, withRun } from "./genrec.ts";
import * as text from "../scenarios/text_shop.ts";

const TINY = {
  numGenerations: 3,
  promptsPerStep: 2,
  maxSteps: 2,
  numTrainEpochs: 2,
  evalSteps: 1,
  evalSamples: 1,
  loggingSteps: 1,
  tokensPerBatch: 64,
};

/** Lines for people, and an end to progress bars. */
function quietIO(onLine: (line: string) => void = () => {}) {
  const lines: string[] = [];
  const abort = new AbortController();
  const io: TaskIO = {
    log(line) {
      lines.push(line);
      onLine(line);
    },
    progress: () => ({ update() {}, stop() {} }),
    signal: abort.signal,
    json: false,
    world: ALONE,
  };
  return { io, lines, abort };
}

/** Runs `rl` in this process on `dir/run`, into `dir/rl`; `flags` win. */
async function train(dir: string, flags: Record<string, unknown> = {}, quiet = quietIO()) {
  const all = { run: join(dir, "run"), data: join(dir, "data"), out: join(dir, "rl"), ...TINY, ...flags };
  return { verdict: await rl(task.config.parse(all), quiet.io), lines: quiet.lines };
}

/** Fails unless `rl` refuses with a message that fits and leaves no new file. */
async function refuses(dir: string, flags: Record<string, unknown>, message: RegExp) {
  const before = filesIn(dir);
  await assert.rejects(() => train(dir, flags), { name: "UserError", message });
  assert.deepEqual(filesIn(dir), before);
}

Deno.test("rl makes a run that evaluate reads, and a run from that run", async () => {
  await withRun(async (dir) => {
    const { verdict, lines } = await train(dir);
    const said = lines.join("\n");
    assert.match(said, /^Examples: 3 of next-item, .* tokens on average$/m);
    assert.match(said, /^step 0: valid HR@10 .*, before the first step$/m);
    assert.match(said, /^Finished after 2 steps, /m);
    assert.ok(lines.includes(verdict!.text), said);
    const run = new RunDirectory(join(dir, "rl"));
    assert.deepEqual(await run.readJson("verdict.json"), verdict);
    const { parent } = await run.readJson("manifest.json") as { parent: unknown };
    const from = (await Deno.readTextFile(join(dir, "run/best"))).trim();
    assert.deepEqual(parent, { run: join(dir, "run"), checkpoint: from });

    const flags = {
      run: join(dir, "rl"),
      out: join(dir, "again"),
      loraR: 2,
      dtype: "float16",
      reward: ["hit", "prefix:0.5", "collaborative"],
    };
    await train(dir, flags);
    const { dtype } = await new RunDirectory(flags.out).readJson("manifest.json") as { dtype: string };
    assert.equal(dtype, "f16");
    const out = join(dir, "eval");
    const asked = evaluate.config.parse({ run: flags.out, data: join(dir, "data"), out, beams: 4 });
    await evaluate.run(asked, quietIO().io);
    const { checkpoint, users } = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
    const best = await new RunDirectory(flags.out).read("best");
    assert.deepEqual([checkpoint, users], [best.trim(), 1]);
  });
});

Deno.test("rl that was stopped says how to go on, and ends as if nothing had happened", async () => {
  await withRun(async (dir) => {
    const flags = { loss: "clipped", numIterations: 2 };
    const quiet = quietIO((line) => line.startsWith("step 1: ") && quiet.abort.abort());
    const { verdict, lines } = await train(dir, flags, quiet);
    assert.equal(verdict, undefined);
    const out = join(dir, "rl");
    assert.match(
      lines.at(-1)!,
      /^Stopped, .* is saved\. Continue with: genrec rl --config .*config\.json --out/,
    );
    const config = JSON.parse(await Deno.readTextFile(join(out, "config.json")));
    await assert.rejects(() => rl(task.config.parse({ ...config, out }), quietIO().io), /already holds one/);
    await assert.rejects(
      () => rl(task.config.parse({ ...config, out, beta: 0.5, resume: true }), quietIO().io),
      /with beta 0\.5: it was started with 0\.001/,
    );
    // As of an older run: what it does not say is the default, and it names settings of rewards that it does not have.
    const { topP: _, ...rest } = config;
    const older = { ...rest, embeddings: "", collaborative: ["transitions"] };
    await Deno.writeTextFile(join(out, "config.json"), JSON.stringify(older));
    const ended = await rl(task.config.parse({ ...older, out, resume: true }), quietIO().io);

    const whole = await train(dir, { ...flags, out: join(dir, "whole") });
    assert.deepEqual(ended, whole.verdict);
    const weights = async (name: string) => {
      const run = new RunDirectory(join(dir, name));
      return await Deno.readFile(join(await run.checkpoint("latest"), "model.safetensors"));
    };
    assert.deepEqual(await weights("rl"), await weights("whole"));
  });
});

Deno.test("rl that runs away is stopped with its verdict, the best weights kept", async () => {
  await withRun(async (dir) => {
    const quiet = quietIO();
    const flags = { reward: ["hit"], addTarget: true, learningRate: 0.5, maxGradNorm: 0, maxKl: 1e-6 };
    await assert.rejects(() => train(dir, { ...flags, maxSteps: 4 }, quiet), {
      name: "DivergenceError",
      message: /expected at most 0\.000001 \(--max-kl\).* is kept/,
    });
    const { text, keptStep } = JSON.parse(await Deno.readTextFile(join(dir, "rl/verdict.json")));
    assert.ok(quiet.lines.includes(text), quiet.lines.join("\n"));
    assert.ok(filesIn(join(dir, "rl"))!.includes(`checkpoints/step-${keptStep}/model.safetensors`));
  });
});

Deno.test("rl refuses what cannot be trained, and makes no run directory", async () => {
  await withRun(async (dir) => {
    await refuses(dir, { numGenerations: 5 }, /groups of 5 different answers: the catalogue has 4 SIDs/);
    await refuses(dir, { reward: ["rankng"] }, /no such reward\. .*Did you mean ranking\?/);
    const many = { rollout: "sample", numGenerations: 100 };
    await refuses(dir, many, /prompts have up to \d tokens, .* at most 64\. Raise --tokens-per-batch/);
    await refuses(dir, { loss: "gropo" }, /no such loss\. .*Did you mean grpo\?/);
    await refuses(dir, { temperature: 0.5 }, /--temperature with --rollout beam/);
    await refuses(dir, { numIterations: 2 }, /--loss grpo: .*Use --loss clipped/);
    await refuses(dir, { reward: ["semantic"] }, /semantic.*--embeddings/);
    await refuses(dir, { reward: [join(dir, "missing.ts")] }, /Cannot load reward .*missing\.ts/);
    await refuses(dir, { checkpoint: "step-9" }, /checkpoint step-9 .*it has step-/);
    await refuses(dir, { tasks: ["titles-to-sid"] }, /titles-to-sid/);
    await refuses(dir, { resume: true }, /it holds no run/);
    await Deno.mkdir(join(dir, "other"));
    await refuses(dir, { run: join(dir, "other") }, /it is empty\. Expected/);
  });
});

Deno.test("rl refuses a checkpoint and an index that disagree", async () => {
  await withRun(async (dir) => {
    // Of a run from before there were catalogues: vocabulary and model tell.
    await Deno.remove(join(dir, "run/catalogue.json"));
    const path = join(dir, "run/index.json"), index = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, index.replace("<a_2>", "<a_3>"));
    await refuses(dir, {}, /they differ first at <a_3> and <a_2>\. Use the index\.json that the model/);
    // The vocabulary follows the index, the model does not.
    const vocabulary = join(dir, "run/vocabulary.json");
    const tokens = JSON.parse(await Deno.readTextFile(vocabulary));
    tokens.sidTokens.push("<c_0>");
    await Deno.writeTextFile(vocabulary, JSON.stringify(tokens));
    await Deno.writeTextFile(path, index.replace('"<b_0>"', '"<b_0>","<c_0>"'));
    await refuses(
      dir,
      {},
      /the index uses token \d+, the model has \d+ tokens, .* Use the index that the model was/,
    );
  });
});

Deno.test("rl shows the example where a user's reward fails, keeps what it has and goes on when that is mended", async () => {
  await withRun(async (dir) => {
    const reward = join(dir, "mine.ts");
    await Deno.writeTextFile(reward, "export default ({ completions }) => completions.map(() => NaN);");
    const flags = Object.entries({ ...TINY, reward: "mine.ts" }).map(([name, value]) =>
      `--${name.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase())}=${value}`
    );
    const args = ["rl", "--run", "run", "--out", "rl", ...flags];
    const nan = await genrec(dir, args);
    assert.equal(nan.code, 1, nan.stderr);
    assert.match(
      nan.stderr,
      /^error: .*reward mine\.ts: its value of completion 0 .* is NaN, .*The example: history/m,
    );
    assert.match(nan.stdout, /^Continue with: genrec rl --config rl\/config\.json --out rl --resume$/m);

    await Deno.writeTextFile(reward, "export default () => { throw new Error('boom'); };");
    const resume = ["rl", "--config", "rl/config.json", "--out", "rl", "--resume"];
    const failing = await genrec(dir, resume);
    assert.equal(failing.code, 1, failing.stderr);
    assert.match(failing.stderr, /reward mine\.ts: it failed with: boom, at mine\.ts:1:30\. The example: /);

    await Deno.writeTextFile(reward, "export default ({ completions }) => completions.map((_, i) => i);");
    const mended = await genrec(dir, resume);
    assert.equal(mended.code, 0, mended.stderr);
    assert.match(mended.stdout, /^Finished after 2 steps/m);
  });
});

Deno.test("rl refuses groups of one answer with exit code 2", async () => {
  await withRun(async (dir) => {
    const { code, stderr } = await genrec(dir, "rl --run run --out rl --num-generations 1".split(" "));
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^error: .*--num-generations 1: .*>=2/m);
    assert.equal(filesIn(join(dir, "rl")), undefined);
  });
});

Deno.test("rl of a model directory makes a run that knows index, words and tokenizer", async () => {
  await text.withShop("qwen2", {}, async (dir) => {
    const { run, checkpoint } = await text.train(dir, { maxSteps: 1 });
    const model = join(dir, "hf"), data = join(dir, "data");
    cpSync(checkpoint, model, { recursive: true });
    const sids = join(run.path, "index.json"), flags = { run: model, data, sids, tokensPerBatch: 256 };
    const preferences = join(dir, "preferences.json");
    await Deno.writeTextFile(preferences, "[]");
    await train(dir, { ...flags, tasks: ["next-item"], preferences, maxSteps: 1 });
    const { inputs } = await new RunDirectory(join(dir, "rl")).readJson("manifest.json") as {
      inputs: object;
    };
    assert.ok(preferences in inputs, "a resumed run would not see that the file has changed");
    const made = await openSidRun(join(dir, "rl"), { data }), from = await openSidRun(run.path, { data });
    assert.deepEqual(made.sids, from.sids);
    assert.deepEqual(made.prompts.prompt([0, 1]), from.prompts.prompt([0, 1]));
    assert.deepEqual(made.settings.maxHistory, from.settings.maxHistory);
  });
});
