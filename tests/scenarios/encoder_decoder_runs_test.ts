// Runs of encoder-decoders with a table for each level, as `genrec baseline --model tiger` and `etegrec` write them.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { formatIndex } from "../../data/formats/index_file.ts";
import { UserError } from "../../base/user_error.ts";
import { parseArgs } from "../../tasks/_cli/cli.ts";
import { task as baseline } from "../../tasks/baseline.ts";
import { task as recommend } from "../../tasks/recommend.ts";
import { task as rl } from "../../tasks/rl.ts";
import { minionerecFiles, withFiles } from "../data/formats/minionerec/fixture.ts";
import { evaluated } from "../tasks/seven_users.ts";
import { collector } from "./text_shop.ts";

let trained: Promise<string> | undefined;

/** Runs `use` in a folder with the four-item dataset in `data/` and a TIGER of two epochs on it in `run/`. */
async function withTiger(use: (dir: string, checkpoint: string) => Promise<void>): Promise<void> {
  const source = await (trained ??= train());
  await withFiles({}, async (dir) => {
    cpSync(source, dir, { recursive: true });
    const latest = [...Deno.readDirSync(join(dir, "run/checkpoints"))].map(({ name }) => name).sort().at(-1)!;
    await use(dir, latest);
  });
}

async function train(): Promise<string> {
  const copy = await Deno.makeTempDir();
  addEventListener("unload", () => Deno.removeSync(copy, { recursive: true }));
  const files = Object.entries(minionerecFiles()).map(([name, text]) => [`data/${name}`, text]);
  await withFiles(Object.fromEntries(files), async (dir) => {
    const words = "--evaluate test --beams 4 " +
      "--model tiger --d-model 8 --d-kv 4 --d-ff 8 --num-layers 1 --num-decoder-layers 1 --num-heads 2 " +
      "--num-train-epochs 2 --tokens-per-batch 32 --eval-beams 4 --max-history 3";
    const places = ["--data", join(dir, "data"), "--out", join(dir, "run")];
    await baseline.run(parseArgs(baseline, [...places, ...words.split(" ")])!.config, collector().io);
    cpSync(dir, copy, { recursive: true });
  });
  return copy;
}

async function lists(dir: string, words: string[]): Promise<string[]> {
  const { io, lines } = collector();
  const places = ["--data", join(dir, "data"), "--history", "1,3"];
  await recommend.run(parseArgs(recommend, [...places, ...words])!.config, io);
  return lines.slice(lines.findIndex((line) => line.includes("score ")));
}

Deno.test("evaluate and recommend serve a run of tiger, and a checkpoint of it alone", async () => {
  await withTiger(async (dir, latest) => {
    const { report, predictions } = await evaluated(dir, "eval", { beams: 4 });
    assert.deepEqual([report.users, report.maxHistory, report.normalisation], [1, 3, "vocab"]);
    const own = JSON.parse(await Deno.readTextFile(join(dir, "run/eval-test/metrics.json")));
    const settings = ["beams", "normalisation", "maxHistory", "hr", "ndcg"] as const;
    assert.deepEqual(settings.map((key) => own[key]), settings.map((key) => report[key]));
    const { items, scores } = JSON.parse(predictions);
    assert.deepEqual(items.toSorted(), [0, 1, 2, 3]);
    const best = await lists(dir, ["--run", join(dir, "run")]);
    assert.equal(best.length, 5);
    assert.ok(best[1].includes(` ${items[0]} `) && best[1].includes(scores[0].toFixed(2)), best[1]);

    await assert.rejects(
      () => lists(dir, ["--run", join(dir, "run"), "--weights", "int8"]),
      /Cannot ask .* with --weights int8: it is an encoder-decoder, expected a decoder/,
    );
    cpSync(join(dir, "run/checkpoints", latest), join(dir, "alone"), { recursive: true });
    const alone = await evaluated(dir, "eval-alone", { run: join(dir, "alone"), beams: 4 });
    const whole = await evaluated(dir, "eval-latest", { checkpoint: latest, beams: 4 });
    assert.equal(alone.predictions, whole.predictions);
    assert.deepEqual([alone.report.maxHistory, alone.report.index], [3, join(dir, "alone/index.json")]);
  });
});

Deno.test("a checkpoint of an encoder-decoder is searched with an index of its own", async () => {
  await withTiger(async (dir, latest) => {
    const before = await evaluated(dir, "before", { checkpoint: latest, beams: 4 });
    // Items 0 and 1 trade SIDs, as they may when a tokenizer learns on.
    const sids = [["<a_1>", "<b_3>"], ["<a_1>", "<b_2>"], ["<a_2>", "<b_2>"], ["<a_4>", "<b_0>"]];
    const index = join(dir, "run/checkpoints", latest, "index.json");
    await Deno.writeTextFile(index, formatIndex(sids));
    const after = await evaluated(dir, "after", { checkpoint: latest, beams: 4 });
    assert.equal(after.report.index, index);
    assert.notEqual(after.predictions, before.predictions);

    await Deno.writeTextFile(
      index,
      formatIndex(sids.map((sid, item) => item === 0 ? ["<a_9>", "<b_0>"] : sid)),
    );
    await assert.rejects(
      evaluated(dir, "other", { checkpoint: latest }),
      (error) =>
        error instanceof UserError && /item 0: codeword 9 of level 1, expected one of 5/.test(error.message),
    );
    await Deno.writeTextFile(index, formatIndex(sids.map((sid, item) => [...sid, `<c_${item}>`])));
    await assert.rejects(
      evaluated(dir, "other", { checkpoint: latest }),
      (error) =>
        error instanceof UserError && /SIDs of 3 tokens: the model has tables for 2/.test(error.message),
    );
  });
});

Deno.test("rl sharpens a run of tiger, and evaluate serves what came of it", async () => {
  await withTiger(async (dir) => {
    const words = "--reward rule,ranking --num-generations 4 --prompts-per-step 2 --tokens-per-batch 64 " +
      "--max-steps 2 --eval-steps 1 --eval-samples 1 --save-total-limit 0 --logging-steps 1 --learning-rate 0.01 --loss clipped";
    const { io, lines } = collector();
    const places = ["--run", join(dir, "run"), "--data", join(dir, "data"), "--out", join(dir, "rl")];
    const run = async (more: string[]) =>
      await rl.run(parseArgs(rl, [...places, ...words.split(" "), ...more])!.config, io);
    await assert.rejects(
      run(["--lora-r", "2"]),
      (error) =>
        error instanceof UserError && /Cannot use --lora-r with .*encoder-decoder/.test(error.message),
    );
    await run([]);
    assert.ok(lines.some((line) => /^step 2: valid HR@10 1.0000/.test(line)), lines.join("\n"));
    const names = [...Deno.readDirSync(join(dir, "rl"))].map(({ name }) => name).sort();
    assert.deepEqual(names, [
      "best",
      "catalogue.json",
      "checkpoints",
      "config.json",
      "index.json",
      "latest",
      "manifest.json",
      "metrics.jsonl",
      "model.json",
      "verdict.json",
    ]);
    const first = await evaluated(dir, "before", { beams: 4 });
    const settings = { run: join(dir, "rl"), beams: 4 };
    const kept = await evaluated(dir, "kept", { ...settings, checkpoint: "step-0" });
    assert.equal(kept.predictions, first.predictions);
    const after = await evaluated(dir, "after", { ...settings, checkpoint: "latest" });
    assert.notEqual(after.predictions, first.predictions);
    assert.deepEqual([after.report.maxHistory, after.report.normalisation], [3, "vocab"]);
  });
});
