// A run is asked in the words that it was trained in: by validation, reinforcement, evaluation and recommendation.
import assert from "node:assert/strict";
import { join } from "node:path";
import { task as recommend } from "../../tasks/recommend.ts";
import { task as rl } from "../../tasks/rl.ts";
import { task as sft } from "../../tasks/sft.ts";
import { rlExamples } from "../../train/rl/examples/examples.ts";
import { RlExampleSchema } from "../../train/rl/examples/settings.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import {
  asked,
  evaluated,
  histories,
  input,
  INSTRUCTION,
  ITEMS,
  next,
  SHORT,
  sid,
  SYSTEM,
  withRows,
} from "./rows_shop.ts";
import { collector } from "./text_shop.ts";

Deno.test("a run on titles alone is asked by titles, and for what it did not learn not at all", async () => {
  await withRows(["titles-to-sid", "title-to-sid"], SHORT, async (dir, { lines }) => {
    const run = join(dir, "run");
    assert.match(lines.join("\n"), /Note: validation and evaluation ask for the next item as titles-to-sid/);
    assert.equal(await asked(run, [3, 4]), "Next item after titles\nT3\nT4\n");
    assert.equal(await asked(run, [3, 4], "title-to-sid"), "Item titled\nT4\n");

    const own = await evaluated(dir, { format: "minionerec" });
    assert.deepEqual([own.task, own.users], ["titles-to-sid", 20]);
    const [result] = JSON.parse(await Deno.readTextFile(join(dir, "eval/minionerec/final_result.json")));
    assert.equal(result.input, "Next item after titles\nT20\nT21\n");

    // Titles are those of the catalogue, whatever the split.
    const items = await evaluated(dir, { task: "title-to-sid" });
    assert.deepEqual([items.task, items.users], ["title-to-sid", ITEMS]);
    const message = /task next-item: the model learned titles-to-sid, title-to-sid, .*Expected title/;
    await assert.rejects(() => asked(run, [3], "next-item"), { name: "UserError", message });
    await assert.rejects(() => asked(run, [3], "sid-to-title"), /its answers are not SIDs alone/);

    // Rows of a file, system text and all, of which those that ask for titles are no questions of ours.
    const path = join(dir, "rows.json"), rows = { system: SYSTEM, instruction: "", input: "Which is T5?" };
    await Deno.writeTextFile(
      path,
      JSON.stringify([{ ...rows, output: `"${sid(5)}"` }, { ...rows, output: "T5" }]),
    );
    const worded = await evaluated(dir, { task: "rows", rows: path, format: "minionerec" });
    assert.equal(worded.users, 1);
    assert.match(worded.lines.join("\n"), /Warning: .* and no rows.*\nNote: 1 of 2 rows of .* left out/);
    const [said] = JSON.parse(await Deno.readTextFile(join(dir, "eval/minionerec/final_result.json")));
    assert.equal(said.input, `${SYSTEM}\n\nWhich is T5?\n`);
    // As evaluate.py of MIMIGenRec asks, which has two line ends and a penalty.
    await Deno.writeTextFile(path, JSON.stringify([{ ...rows, instruction: "Look.", output: sid(5) }]));
    const theirs = { task: "rows", rows: path, rowLineEnds: 2, repetitionPenalty: 1.1, format: "minionerec" };
    const { repetitionPenalty, rowLineEnds, lines: told } = await evaluated(dir, theirs);
    assert.deepEqual([repetitionPenalty, rowLineEnds], [1.1, 2]);
    assert.match(told.join("\n"), /repetition penalty 1\.1/);
    const [two] = JSON.parse(await Deno.readTextFile(join(dir, "eval/minionerec/final_result.json")));
    assert.equal(two.input, `${SYSTEM}\nLook.\n\nWhich is T5?\n`);
    const coded = await evaluated(dir, { weights: "int8" });
    assert.deepEqual([coded.weights, own.weights, coded.users], ["int8", "float32", 20]);
    assert.match(coded.lines.join("\n"), /weights in int8, /);
    await assert.rejects(
      () => evaluated(dir, { rowLineEnds: 2 }),
      /Cannot use --row-line-ends with task titles-to-sid/,
    );
    await assert.rejects(() => evaluated(dir, { rows: path }), /Cannot use --rows with task titles-to-sid/);
  });
});

Deno.test("a run on tastes is asked by them, those of a file or of one user, and not without", async () => {
  const rows = [["train", 0], ["train", 1], ["test", 5], ["test", 9], ["valid", 3]] as const;
  const preferences = await Deno.makeTempFile({ suffix: ".jsonl" });
  const lines = rows.map(([split, item]) => ({
    user: `u${item}`,
    split,
    user_preference: `likes T${item}`,
    context: { history_items: [item], target_item: next(item) },
  }));
  await Deno.writeTextFile(preferences, lines.map((line) => JSON.stringify(line)).join("\n"));
  await withRows(["preference-to-sid", "next-item"], { ...SHORT, preferences }, async (dir) => {
    const run = join(dir, "run"), task = "preference-to-sid";
    const own = await evaluated(dir, { task, preferences, format: "minionerec" });
    assert.deepEqual([own.task, own.users], [task, 2]);
    const results = JSON.parse(await Deno.readTextFile(join(dir, "eval/minionerec/final_result.json")));
    assert.deepEqual(results.map(({ input }: { input: string }) => input), [
      `Next item for taste\nlikes T5\n${sid(5)}\n`,
      `Next item for taste\nlikes T9\n${sid(9)}\n`,
    ]);
    await assert.rejects(() => evaluated(dir, { task }), /without preferences: expected a file/);
    await assert.rejects(() => evaluated(dir, { preferences }), /task next-item: it asks by no preference/);

    const recommended = async (flags: Record<string, unknown>) => {
      const { io, lines } = collector();
      await recommend.run(recommend.config.parse({ run, top: 3, beams: 3, ...flags }), io);
      return lines.join("\n");
    };
    const light = await recommended({ history: [5], task, preference: "light tools" });
    assert.match(light, /Recommendations of .*\n.*\n +1 /);
    assert.notEqual(light, await recommended({ history: [5], task, preference: "heavy saws" }));
    assert.notEqual(light, await recommended({ history: [5] }));
    await assert.rejects(() => recommended({ history: [5], task }), /Add --preference with one history/);
    await assert.rejects(
      () => recommended({ history: [5], preference: "light" }),
      /Cannot use the preference of --history with task next-item.* Leave it out, or use --task preference-to-sid/,
    );
    const file = join(dir, "users.jsonl"), out = join(dir, "lists.jsonl");
    await Deno.writeTextFile(file, '{"history":[5],"preference":"light tools"}\n{"history":[5]}\n');
    await recommended({ file, out, task });
    const [told, untold] = (await Deno.readTextFile(out)).trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(told.recommendations.length, 3);
    assert.match(untold.error, /users.jsonl line 2: task preference-to-sid asks by a preference, found none/);
  });
});

Deno.test("rows in the chat template of a model are asked there, and a mix that asks for no item says so", async () => {
  await withRows(["rows"], { ...SHORT, prompts: "chat", maxLength: 200 }, async (dir) => {
    const [row] = histories(2);
    assert.equal(
      await asked(join(dir, "run"), row.history),
      `<|im_start|>system\n${SYSTEM}<|im_end|>\n<|im_start|>user\n${INSTRUCTION}\n${
        input(row.history)
      }<|im_end|>\n` +
        "<|im_start|>assistant\n",
    );
  });
  await withRows(["sid-to-title"], SHORT, (_dir, { lines }) => {
    assert.match(lines.join("\n"), /Warning: .* which sid-to-title do not teach.*Add next-item to --tasks/);
    return Promise.resolve();
  });
});

Deno.test("a run on rows of a file is asked in their words everywhere, and knows far more in them than in others", async () => {
  await withRows(["rows"], {}, async (dir, { metrics, lines }) => {
    const run = join(dir, "run");
    assert.match(lines.join("\n"), /in the words of 80 rows: "What next\? Took \{history\} so far\."/);
    const [row] = histories(2);
    const words = `${SYSTEM}\n${INSTRUCTION}\n${input(row.history)}\n`;
    assert.equal(await asked(run, row.history), words);

    const own = await evaluated(dir, { format: "mimigenrec" });
    assert.equal(own.task, "next-item");
    assert.deepEqual([own.hr[1] > 0.7, own.hr[10]], [true, 1], JSON.stringify(own.hr));
    const [{ valid }] = metrics.filter(({ valid }) => valid);
    assert.ok(valid.hr10 === 1 && valid.ndcg10 > 0.85, JSON.stringify(valid));

    // Result files say what was asked: for test too the words of training, not those of its file.
    const [result] = JSON.parse(await Deno.readTextFile(join(dir, "eval/mimigenrec/final_result.json")));
    const { history, target } = histories(2)[20];
    const { predict, ...question } = result;
    assert.deepEqual(question, {
      system: SYSTEM,
      instruction: INSTRUCTION,
      input: input(history),
      output: sid(target),
    });
    assert.equal(predict.length, 10);

    // The rows of test in their own words, which differ, and rows in the words of training.
    const tested = await evaluated(dir, { task: "rows", format: "mimigenrec" });
    assert.deepEqual([tested.task, tested.users], ["rows", 20]);
    const [{ system, instruction, input: said, output }] = JSON.parse(
      await Deno.readTextFile(join(dir, "eval/mimigenrec/final_result.json")),
    );
    assert.deepEqual({ system, instruction, input: said, output }, {
      ...question,
      input: `Next after ${history.map(sid).join(", ")}`,
    });
    const valid20 = await evaluated(dir, { task: "rows", rows: join(dir, "data/sft/valid.json") });
    assert.deepEqual(
      [valid20.hr, valid20.ndcg],
      await evaluated(dir, { split: "valid" }).then(({ hr, ndcg }) => [hr, ndcg]),
    );
    assert.doesNotMatch(tested.lines.join("\n"), /Warning|left out/);

    // Reinforcement measures itself in the same words, and its rows get the instruction of those of training.
    const out = join(dir, "rl"), { io } = collector();
    const small = { maxSteps: 1, evalSteps: 1, evalSamples: 20, numGenerations: 4, promptsPerStep: 4 };
    await rl.run(rl.config.parse({ run, out, ...small }), io);
    const { before } = JSON.parse(await Deno.readTextFile(join(out, "verdict.json")));
    assert.ok(Math.abs(before - valid.ndcg10) < 0.02, `${before}`);
    assert.equal(await asked(out, row.history), words);
    const { examples, report } = await rlExamples(await openSidRun(run), RlExampleSchema.parse({}));
    assert.deepEqual(report.map(({ name, rows }) => [name, rows]), [["rows", ITEMS]]);
    assert.ok(
      Array.from({ length: ITEMS }, (_, i) => examples.make(i).prompt.join()).includes(
        (await openSidRun(run)).prompts.prompt(row.history).join(),
      ),
    );

    // A run that goes on from it is asked in its words too, unless it is told others.
    const more = async (flags: Record<string, unknown>) => {
      const { io, lines } = collector(), out = join(dir, "more");
      const { maxSteps, evalSteps } = SHORT;
      const given = { data: join(dir, "data"), model: run, tasks: ["next-item"], out, maxSteps, evalSteps };
      await sft.run(sft.config.parse({ ...given, evalSamples: 2, dropout: 0, maxLength: 96, ...flags }), io);
      const said = await asked(out, row.history);
      await Deno.remove(out, { recursive: true });
      return { said, lines: lines.join("\n") };
    };
    const next = await more({});
    assert.equal(next.said, words);
    assert.ok(next.lines.includes(`Takes its words from ${run}/prompts.json; --prompts names others`));
    assert.equal((await more({ prompts: "genrec" })).said, `Next item\n${row.history.map(sid).join("")}\n`);

    const kept = JSON.parse(await Deno.readTextFile(join(run, "prompts.json")));
    // As a run of before kept it.
    const { "next-item": _, ...tasks } = kept.tasks;
    await Deno.writeTextFile(
      join(run, "prompts.json"),
      JSON.stringify({
        ...kept,
        tasks: {
          ...tasks,
          "next-item": { instruction: "Next item", input: "{history}", output: "{sid}", join: "" },
        },
      }),
    );
    const others = await evaluated(dir);
    assert.ok(others.hr[1] < 0.4 && others.ndcg[10] < own.ndcg[10] - 0.3, JSON.stringify(others.hr));
    assert.match(others.lines.join("\n"), /Warning: .* learned rows and is asked for next-item .* not seen/);
  });
});
