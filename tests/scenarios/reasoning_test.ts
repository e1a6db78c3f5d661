// Reasons in words before a SID, as MiniOneRec's "Think" models give them, and what a user says in a turn.
import assert from "node:assert/strict";
import { join } from "node:path";
import { task as recommend } from "../../tasks/recommend.ts";
import { openRun, openSidRun } from "../../train/runs/open_run.ts";
import { evaluated, ITEMS, next, SHORT, sid, withRows } from "./rows_shop.ts";
import { collector } from "./text_shop.ts";

/** A file in which each item leads to the next one, since its number is one more. */
async function reasonsFile(): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  const rows = Array.from({ length: ITEMS }, (_, item) => ({
    user: item,
    user_preference: `Has ${item}.\nSo ${next(item)}`,
    context: { history_items: [item], target_item: next(item) },
  }));
  await Deno.writeTextFile(path, JSON.stringify(rows));
  return path;
}

async function recommended(run: string, flags: Record<string, unknown>) {
  const { io, lines } = collector();
  await recommend.run(recommend.config.parse({ run, top: 3, beams: 3, ...flags }), io);
  return lines;
}

const task = "reasoning-to-sid";

Deno.test("a run on reasons writes them before the SID, and the SID follows from what it wrote", async () => {
  const preferences = await reasonsFile();
  const settings = { preferences, maxSteps: 120, evalSteps: 120, evalSamples: 2 };
  await withRows([task, "next-item"], settings, async (dir) => {
    const run = join(dir, "run"), maxNewTokens = 24;
    const { prompts } = await openSidRun(run, { task });
    const said = (asker?: Parameters<typeof prompts.prompt>[1]) =>
      prompts.text!.prompts.tokenizer.decode(prompts.prompt([7], asker), true);
    assert.equal(said(), `Reasons, then next item\n${sid(7)}\n`);
    assert.equal(said({ reasoning: "Has 7.\nSo 8" }), `${said()}Has 7.\nSo 8\n`);

    const recommender = await openRun(run, { task, maxNewTokens }), k = { k: ITEMS };
    const requests = [{ history: [7] }, { history: [20] }, { history: [33] }];
    const reasons = await recommender.reason!(requests);
    for (const reason of reasons) assert.match(reason, /^Has \d+\.\nSo \d+$/);
    const lists = await recommender.recommend(requests, k);
    const told = requests.map((request, i) => ({ ...request, reasoning: reasons[i] }));
    assert.deepEqual(await recommender.recommend(told, k), lists);
    const scoreOf = async (item: number, reasoning: string) =>
      (await recommender.recommend([{ history: [7], reasoning }], k))[0]
        .find(({ items }) => items[0] === item)!.score;
    const right = await scoreOf(8, "Has 7.\nSo 8"), wrong = await scoreOf(8, "Has 30.\nSo 31");
    assert.ok(right > wrong, `${right} ${wrong}`);
    recommender.destroy();

    const own = await evaluated(dir, { task, split: "valid", maxNewTokens, limit: 4 });
    assert.deepEqual([own.task, own.users, own.maxNewTokens, own.temperature], [task, 4, maxNewTokens, 0]);
    const rows = (await Deno.readTextFile(join(dir, "eval/predictions.jsonl"))).trim().split("\n");
    for (const row of rows) assert.match(JSON.parse(row).reasoning, /^Has /);

    const lines = await recommended(run, { history: [7], task, maxNewTokens });
    assert.ok(lines.includes(`Reasons of the model: ${reasons[0]}`), lines.join("\n"));
    const draw = (more: Record<string, unknown>) =>
      recommended(run, { history: [7], task, maxNewTokens: 8, temperature: 5, seed: 1, ...more });
    const drawn = await draw({}), best = await draw({ temperature: 0, seed: 42 });
    assert.deepEqual(await draw({}), drawn);
    assert.notDeepEqual(await draw({ seed: 2 }), drawn);
    // Of one token that may be drawn it is always that one.
    assert.notDeepEqual(drawn, best);
    assert.deepEqual(await draw({ topK: 1 }), best);
    assert.deepEqual(await draw({ topP: 1e-6 }), best);
    assert.deepEqual(await draw({ minP: 1 }), best);
    await assert.rejects(() => draw({ temperature: 0, topK: 3, minP: 0.1 }), {
      name: "UsageError",
      message: /^Cannot use --top-k, --min-p, --seed without --temperature above 0: no reasons are drawn/,
    });
    await assert.rejects(
      () => recommended(run, { history: [7], task: "reasoning-to-sids" }),
      /^UserError: Cannot ask for task "reasoning-to-sids": there is no such task.* Did you mean reasoning-to-sid\?$/,
    );
    // Of a run that can write reasons, asked for something else.
    const idle = { maxNewTokens: 8, temperature: 5, seed: 1 };
    await assert.rejects(() => recommended(run, { history: [7], ...idle }), {
      name: "UserError",
      message:
        /^Cannot use --max-new-tokens, --temperature, --seed with .*run: it is asked for task next-item, .* Leave them out, or/,
    });

    // Rows of one way to draw stay apart from those of another one, and those of before can be gone on with.
    await assert.rejects(() => evaluated(dir, { resume: true, split: "valid", minP: 0.1, temperature: 1 }), {
      name: "UserError",
      message: /^Cannot use --temperature, --min-p with .*run: it is asked for task next-item/,
    });
    const out = join(dir, "eval"), metrics = join(out, "metrics.json");
    const some = { task, split: "valid", maxNewTokens, limit: 4, temperature: 5, topK: 3 };
    const few = await evaluated(dir, some);
    assert.deepEqual([few.topK, few.topP, few.minP, few.reasonSeed], [3, 1, 0, 42]);
    assert.deepEqual([own.topK, own.reasonSeed], [0, undefined]);
    const goOn = (more: Record<string, unknown>) => evaluated(dir, { ...some, resume: true, ...more });
    await assert.rejects(() => evaluated(dir, { ...some, temperature: 0 }), /--top-k without --temperature/);
    assert.equal((await goOn({})).secondsPerUser, few.secondsPerUser);
    await assert.rejects(() => goOn({ topK: 0 }), /eval with topK 0: its rows were made with 3/);
    await assert.rejects(() => goOn({ topP: 0.5 }), /eval with topP 0\.5: its rows were made with 1/);
    await assert.rejects(() => goOn({ minP: 0.5 }), /eval with minP 0\.5: its rows were made with 0/);
    await assert.rejects(() => goOn({ seed: 1 }), /eval with reasonSeed 1: its rows were made with 42/);
    const { topK: _, topP: __, minP: ___, reasonSeed: ____, ...older } = { ...few, temperature: 0 };
    await Deno.writeTextFile(metrics, JSON.stringify(older));
    assert.equal((await goOn({ temperature: 0, topK: 0 })).topK, 0);
  });
});

Deno.test("what a user says follows the question, in the words and the frame of the run", async () => {
  await withRows(["titles-to-sid"], { ...SHORT, prompts: "chat", maxLength: 200 }, async (dir) => {
    const run = join(dir, "run");
    const { prompts } = await openSidRun(run);
    const said = prompts.text!.prompts.tokenizer.decode(
      prompts.prompt([7], { turns: [{ said: "something lighter" }] }),
      true,
    );
    assert.equal(
      said,
      "<|im_start|>user\nNext item after titles\nT7\nsomething lighter<|im_end|>\n<|im_start|>assistant\n",
    );
    const lighter = "Next item after titles\nT7\nsomething lighter<|im_end|>\n<|im_start|>assistant\n";
    const [first] = (await openRun(run).then((run) =>
      run.recommend([{ history: [7], turns: [{ said: "something lighter" }] }], { k: 1 })
    ))[0];
    const answered = first.items[0], turns = [{ said: "something lighter", answered }, { said: "and red" }];
    assert.equal(
      prompts.text!.prompts.tokenizer.decode(prompts.prompt([7], { turns }), true),
      `<|im_start|>user\n${lighter}${sid(answered)}<|im_end|>\n<|im_start|>user\nand red<|im_end|>\n` +
        "<|im_start|>assistant\n",
    );
    assert.throws(() =>
      prompts.prompt([7], { turns: [{ said: "a" }, { said: "b" }] }), /Turn 0 of 2 has no answer/);
    const dialogue = await recommended(run, { history: [7], say: ["something lighter", "and red"] });
    const shown = dialogue.join("\n");
    assert.ok(shown.includes(`User: something lighter\nAnswer: ${answered}  ${sid(answered)}`), shown);
    assert.match(shown, /\nUser: and red\nRecommendations of /);
    const file = join(dir, "users.jsonl"), out = join(dir, "lists.jsonl");
    const say = ["something lighter", "and red"];
    await Deno.writeTextFile(
      file,
      [{ history: [7], say }, { history: [7] }, { history: [7], say: say[0] }].map((row) =>
        JSON.stringify(row)
      )
        .join("\n"),
    );
    await recommended(run, { file, out });
    const [both, none, one] = (await Deno.readTextFile(out)).trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.deepEqual(
      both.turns.map(({ say, answer }: { say: string; answer: { item: number } }) => [say, answer.item]),
      [
        ["something lighter", answered],
      ],
    );
    assert.equal(one.recommendations[0].item, answered);
    assert.deepEqual([none.turns, one.turns], [undefined, undefined]);
    assert.notDeepEqual(both.recommendations, one.recommendations);
    const plain = await recommended(run, { history: [7] });
    assert.notDeepEqual(await recommended(run, { history: [7], say: ["something lighter"] }), plain);
    assert.deepEqual(await recommended(run, { history: [7], say: [""] }), plain);
  });
});
