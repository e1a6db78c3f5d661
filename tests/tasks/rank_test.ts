import assert from "node:assert/strict";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import { parseArgs, type Task, UsageError } from "../../tasks/_cli/cli.ts";
import { task as baseline } from "../../tasks/baseline.ts";
import { task as evaluate } from "../../tasks/evaluate.ts";
import { task as rank } from "../../tasks/rank.ts";
import { task as recommend } from "../../tasks/recommend.ts";
import { task as rl } from "../../tasks/rl.ts";
import { task as sft } from "../../tasks/sft.ts";
import { openRun } from "../../train/runs/open_run.ts";
import { minionerecFiles, withFiles } from "../data/formats/minionerec/fixture.ts";
import { collector } from "../scenarios/text_shop.ts";
import { filesIn, TINY_SFT } from "./genrec.ts";

const PATHS = ["--run", "--runs", "--fold-runs", "--data", "--out", "--config", "--collaborative"];

/** Runs a task in this process, paths in `dir`; what it said. */
async function command<S extends z.ZodObject>(dir: string, task: Task<S>, words: string): Promise<string[]> {
  const { io, lines } = collector();
  const paths = words.split(" ").map((word, i, all) =>
    PATHS.includes(all[i - 1]) && word !== "synthetic"
      ? word.split(",").map((path) => join(dir, path)).join()
      : word
  );
  await task.run(parseArgs(task, paths)!.config, io);
  return lines;
}

const TINY = "--hidden-size 4 --num-rankers 2 --num-train-epochs 2 --list-length 4";

/** Runs `use` in a folder with `data/` and the runs a and b, and the same ones without the last train target. */
async function withRuns(use: (dir: string) => Promise<void>): Promise<void> {
  const files = Object.entries(minionerecFiles()).map(([name, text]) => [`data/${name}`, text]);
  await withFiles(Object.fromEntries(files), async (dir) => {
    for (const [run, model] of [["a", "transitions"], ["b", "popularity"]]) {
      await command(dir, baseline, `--model ${model} --data data --out ${run}`);
      await command(dir, baseline, `--model ${model} --data data --holdout-rows 1 --out ${run}-fold`);
    }
    await use(dir);
  });
}

Deno.test("genrec rank learns from the rows that folds left out, and its run stands alone", async () => {
  await withRuns(async (dir) => {
    const said = await command(
      dir,
      rank,
      `--data data --runs a,b --fold-runs a-fold,b-fold --out rank ${TINY}`,
    );
    assert.match(
      said[0],
      /^Memory: about [\d.]+ \wiB: [\d.]+ \wiB for lists and training, .*[\d.]+ \wiB of the process$/,
    );
    assert.ok(
      said.includes("Lists: 1 to learn from, 100.0 % with their target among the candidates"),
      said.join("\n"),
    );
    assert.ok(said.some((line) => /^epoch 2: loss [\d.]+, valid HR@10 1.0000/.test(line)), said.join("\n"));
    const folder = join(dir, "rank");
    assert.deepEqual(filesIn(folder)!.filter((name) => !/^(checkpoints|sources)\/./.test(name)), [
      "best",
      "catalogue.json",
      "checkpoints/",
      "config.json",
      "counts.safetensors",
      "features.json",
      "latest",
      "manifest.json",
      "metrics.jsonl",
      "sources/",
    ]);
    const { learnedFrom } = JSON.parse(await Deno.readTextFile(join(folder, "manifest.json")));
    assert.equal(learnedFrom, "the last 1 train targets");
    // What training goes on from is not copied.
    assert.ok(!filesIn(join(folder, "sources"))!.some((name) => /trainer|metrics/.test(name)));

    for (const run of ["a", "b", "a-fold", "b-fold"]) await Deno.remove(join(dir, run), { recursive: true });
    await command(dir, evaluate, "--run rank --beams 4 --out eval");
    const { users, model, lists } = JSON.parse(await Deno.readTextFile(join(dir, "eval/metrics.json")));
    assert.deepEqual([users, model, lists], [1, "rank", "items"]);
    const run = await openRun(folder, { data: join(dir, "data") });
    const request = { history: [1, 3] };
    const { features, items } = await run.explain!(request, { k: 3 });
    const [listed] = await run.recommend([request], { k: 3 });
    assert.deepEqual(
      items.map(({ item, score }) => [item, score]),
      listed.map(({ items: [item], score }) => [item, score]),
    );
    assert.ok(features.includes("transitions.lag1.share"), features.join());
    assert.ok(items.every(({ effects }) => effects.length === features.length));
    assert.ok(items[0].effects.some((effect) => effect !== 0));
    run.destroy();

    await assert.rejects(
      command(dir, recommend, "--run rank --history 1,3 --top 5"),
      /Cannot list 5 items with .*rank: it ranks the first 4 of each run\. Ask for 4 or less/,
    );

    // A run of before it was a setting learned from the scores of its candidates alone.
    const config = JSON.parse(await Deno.readTextFile(join(folder, "config.json")));
    const scoresWith = async (scoredLength: number | undefined) => {
      await Deno.writeTextFile(
        join(folder, "config.json"),
        JSON.stringify({ ...config, listLength: 2, scoredLength }),
      );
      const changed = await openRun(folder, { data: join(dir, "data") });
      const [found] = await changed.recommend([request], { k: 2 });
      changed.destroy();
      return found.map(({ score }) => score);
    };
    assert.deepEqual(await scoresWith(undefined), await scoresWith(0));
    assert.notDeepEqual(await scoresWith(0), await scoresWith(config.scoredLength));
  });
});

Deno.test("genrec rank learns from the rows of several folds, each by the runs that do not know them", async () => {
  await withRuns(async (dir) => {
    for (const [run, model] of [["a", "transitions"], ["b", "popularity"]]) {
      await command(dir, baseline, `--model ${model} --data data --holdout-rows 2 --out ${run}-less`);
    }
    const folds = "a-less,b-less,a-fold,b-fold";
    const said = await command(dir, rank, `--data data --runs a,b --fold-runs ${folds} --out rank ${TINY}`);
    assert.ok(said.some((line) => line.startsWith("Lists: 2 to learn from")), said.join("\n"));
    const { learnedFrom } = JSON.parse(await Deno.readTextFile(join(dir, "rank/manifest.json")));
    assert.equal(learnedFrom, "the last 2 train targets");
    const again = await command(dir, rank, "--config rank/config.json --out rank --resume");
    assert.ok(again.some((line) => /nothing is left to train/.test(line)), again.join("\n"));
  });
});

Deno.test("genrec rank --train-on valid needs no folds, says what its figures mean, and goes on with --resume", async () => {
  await withRuns(async (dir) => {
    const said = await command(dir, rank, `--data data --runs a --train-on valid --out rank ${TINY}`);
    assert.ok(
      said.includes("It learned from the valid split: only its test figures mean anything"),
      said.join("\n"),
    );
    assert.ok(!said.some((line) => /valid HR/.test(line)));
    assert.ok(said.some((line) => /^Without a second run: what .*a lists is joined with counts/.test(line)));
    const again = await command(dir, rank, "--config rank/config.json --out rank --resume");
    assert.ok(again.some((line) => /nothing is left to train/.test(line)), again.join("\n"));
    await assert.rejects(
      command(dir, rank, "--config rank/config.json --out rank --resume --hidden-size 8"),
      /Cannot resume .*rank with hiddenSize 8: it was started with 4/,
    );
    await command(dir, evaluate, "--run rank --beams 4 --out eval");
    cpSync(join(dir, "b"), join(dir, "a"), { recursive: true });
    await assert.rejects(
      command(dir, rank, "--config rank/config.json --out rank --resume"),
      /Cannot resume .*rank: the lists of its runs differ from those that it was started with\. Put back .*a as they were/,
    );
    const { model } = JSON.parse(await Deno.readTextFile(join(dir, "eval/metrics.json")));
    assert.equal(model, "rank, learned from valid");
  });
});

Deno.test("items without titles are ranked without them, which is said", async () => {
  const files = minionerecFiles();
  const items = Object.keys(JSON.parse(files["item.json"]));
  files["item.json"] = JSON.stringify(Object.fromEntries(items.map((item) => [item, { title: "" }])));
  await withRuns(async (dir) => {
    await Deno.writeTextFile(join(dir, "data/item.json"), files["item.json"]);
    await Deno.remove(join(dir, "data/info.txt"));
    await command(dir, baseline, "--model transitions --data data --out plain");
    const said = await command(dir, rank, `--data data --runs plain --train-on valid --out rank ${TINY}`);
    assert.ok(
      said.includes("Without the features texts: items have no titles, makers or categories"),
      said.join("\n"),
    );
  });
});

Deno.test("a training that leaves out rows does not go on from weights that know them", async () => {
  await withRuns(async (dir) => {
    const tiny = TINY_SFT.slice(TINY_SFT.indexOf("--max-steps")).join(" ");
    await command(dir, sft, `--data data --out c ${tiny}`);
    const { length } = filesIn(dir)!;
    await assert.rejects(
      command(dir, sft, `--data data --model ${join(dir, "c")} --holdout-rows 1 --max-steps 1 --out c-fold`),
      /Cannot leave out the last 1 train targets with the weights of .*c: it was trained on all\. Start from weights/,
    );
    assert.equal(filesIn(dir)!.length, length);
  });
});

Deno.test("a run that was reinforced knows no more than the run before, so a ranker learns from it", async () => {
  await withRuns(async (dir) => {
    const tiny = TINY_SFT.slice(TINY_SFT.indexOf("--max-steps")).join(" ");
    await command(dir, sft, `--data data --out c ${tiny}`);
    await command(dir, sft, `--data data --holdout-rows 1 --out c-fold ${tiny}`);
    const reinforced = (words: string) =>
      command(dir, rl, `--data data --num-generations 2 --prompts-per-step 2 --max-steps 1 ${words}`);
    await reinforced("--run c --out d");
    const said = await reinforced("--run c-fold --out d-fold --reward collaborative --collaborative a-fold");
    // One of the three is left out.
    assert.ok(said.some((line) => line.startsWith("Examples: 2 of next-item")), said.join("\n"));
    const { length } = filesIn(dir)!;
    const refused: [words: string, message: RegExp][] = [
      [
        "--run c --holdout-rows 1",
        /leave out the last 1 train targets with the weights of .*c: it was trained/,
      ],
      [
        "--run c-fold --reward collaborative --collaborative a",
        /by the scores of .*a: it knows some of the last 1 train targets, which this run leaves out\. Use one that/,
      ],
    ];
    for (const [words, message] of refused) await assert.rejects(reinforced(`${words} --out e`), message);
    assert.equal(filesIn(dir)!.length, length);
    await command(dir, rank, `--data data --runs d --fold-runs d-fold --out ranked ${TINY}`);
    assert.ok(existsSync(join(dir, "ranked/best")));
  });
});

Deno.test("genrec rank refuses runs that would teach it wrong, and leaves nothing behind", async () => {
  await withRuns(async (dir) => {
    cpSync(join(dir, "data"), join(dir, "other"), { recursive: true });
    const train = await Deno.readTextFile(join(dir, "data/train.csv"));
    await Deno.writeTextFile(join(dir, "other/train.csv"), train.split("\n").toSpliced(1, 1).join("\n"));
    await Deno.mkdir(join(dir, "no-valid"));
    const log = [["x", 1, "train"], ["y", 2, "train"], ["x", 3, "test"]];
    const rows = log.map(([item, time, split]) => `ann\t${item}\t${time}\t${split}\n`).join("");
    await Deno.writeTextFile(
      join(dir, "no-valid/no-valid.inter"),
      `user_id:token\titem_id:token\ttimestamp:float\tsplit:token\n${rows}`,
    );
    await command(dir, baseline, "--model transitions --data data --holdout-rows 2 --out a-less");
    const cases: [words: string, type: new (message: string) => Error, message: RegExp][] = [
      [
        "--data data --runs a --fold-runs a-fold --memory-limit 1e-6",
        UserError,
        /^Cannot start: lists and training would take [\d.]+ \w+ and 0 B of memory are left\. Use a lower --list-length/,
      ],
      ["--data data --runs a", UsageError, /^Missing --fold-runs: .*Or use --train-on valid$/],
      [
        "--data data --runs a --fold-runs a-fold --train-on valid",
        UsageError,
        /Cannot use --fold-runs with --train-on/,
      ],
      [
        "--data data --runs a --fold-runs a",
        UserError,
        /from .*a: it was trained on the whole train split, so its lists/,
      ],
      [
        "--data data --runs a,b,a --train-on valid",
        UsageError,
        /Cannot rank .*a twice: name each of --runs once/,
      ],
      [
        "--data data --runs a-fold --fold-runs a-fold",
        UserError,
        /a-fold: it was trained on all but the last 1 train/,
      ],
      [
        "--data data --runs a,b --fold-runs a-fold",
        UserError,
        /rank 2 --runs from 1 --fold-runs: expected one each/,
      ],
      [
        "--data data --runs a --fold-runs a-fold,a-fold",
        UserError,
        /from .*a-fold beside .*a-fold: both left out the last 1 train targets\. Train each fold/,
      ],
      [
        "--data data --runs a,b --fold-runs b-fold,a-fold",
        UserError,
        /a \(transitions\) from .*b-fold \(popularity\)/,
      ],
      [
        "--data data --runs a,b --fold-runs a-less,b-fold",
        UserError,
        /b-fold: it left out the last 1 .*a-less the last 2/,
      ],
      [
        "--data other --runs a --train-on valid",
        UserError,
        /a on .*other: it was trained on other files, of the dataset/,
      ],
      [
        "--data no-valid --runs a --train-on valid",
        UserError,
        /its valid split is empty, there is nothing to learn from/,
      ],
      [
        "--data synthetic --runs a --train-on valid",
        UserError,
        /a with .*: it was trained on 4 items, the dataset has/,
      ],
      ["--data data --runs nowhere --train-on valid", UserError, /nowhere: there is no such folder/],
      ["--data data --runs data --train-on valid", UserError, /data as a run: it has no config\.json/],
    ];
    for (const [words, type, message] of cases) {
      await assert.rejects(command(dir, rank, `${words} --out rank ${TINY}`), (error: Error) => {
        assert.ok(error instanceof type, `${words}: ${error.stack}`);
        assert.match(error.message, message);
        return true;
      });
      assert.ok(!existsSync(join(dir, "rank")), words);
    }
  });
});
