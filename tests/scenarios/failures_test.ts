// Bad input: one message that names what is wrong, the right exit code, nothing half-written.
import assert from "node:assert/strict";
import { join } from "node:path";
import { writeNpy } from "../../base/npy.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { type Files, minionerecFiles } from "../data/formats/minionerec/fixture.ts";
import { inSession } from "../tasks/_cli/session.ts";
import { filesIn, genrec, TINY_SFT, withData, withRun } from "../tasks/genrec.ts";

type Env = Record<string, string>;

/** Fails unless `args` ends with `code` and one message that fits, without a new file or folder in `dir`. */
async function refuses(dir: string, args: string | string[], code: number, message: RegExp, env?: Env) {
  const before = filesIn(dir);
  const words = typeof args === "string" ? args.split(" ") : args;
  const found = await (env ? genrec(dir, words, env) : inSession(dir, words));
  assert.equal(found.code, code, found.stderr);
  assert.match(found.stderr, message);
  assert.match(found.stderr, /^error: /);
  assert.doesNotMatch(found.stderr, /^ +at /m, "a stack");
  assert.deepEqual(filesIn(dir), before);
}

const files = minionerecFiles();
const TEST_HEADER = files["test.csv"].split("\n")[0] + "\n";

const badData: [name: string, changes: Files, message: RegExp][] = [
  ["a column that is missing", {
    "train.csv": files["train.csv"].replace("history_item_id", "history_id"),
  }, /train\.csv.*history_item_id/],
  ["a list cell that does not parse", {
    "train.csv": files["train.csv"].replace('"[0, 1]"', '"[0, 1"'),
  }, /train\.csv line 4, column history_item_id: .*"\[0, 1"/],
  ["a SID token of another form", {
    "index.json": files["index.json"].replace("<a_2>", "a_2"),
  }, /index\.json.*a_2/],
  ["an index of fewer items", {
    "index.json": files["index.json"].replace(/,"3":\[.*?\]/, ""),
  }, /index\.json: .*4 items .*found 3/],
  ["an empty split", { "test.csv": TEST_HEADER }, /test\.csv: .*at least one row, found none/],
];

for (const [name, changes, message] of badData) {
  Deno.test(`sft refuses ${name}, and makes no run directory`, async () => {
    await withData(changes, (dir) => refuses(dir, TINY_SFT, 1, message));
  });
}

Deno.test("tasks refuse a dataset that is not there or no dataset", async () => {
  await withRun(async (dir) => {
    await refuses(dir, "evaluate --run run --data nowhere --out eval", 1, /dataset nowhere: .*found nothing/);
    await Deno.mkdir(join(dir, "empty"));
    await refuses(dir, "recommend --run run --data empty --history 1", 1, /dataset empty: .*MiniOneRec/);
  });
});

Deno.test("tasks refuse wrong flags and config keys with exit code 2", async () => {
  await withRun(async (dir) => {
    await refuses(dir, "evaluate --run run --beams 0 --out eval", 2, /--beams 0: /);
    await refuses(dir, "evaluate --run run --split tset --out eval", 2, /--split tset: /);
    await refuses(dir, "evaluate --out eval", 2, /Missing --run: /);
    await refuses(dir, "sid --out sids", 2, /Name --embeddings FILE\.npy or --data DATASET/);
    await refuses(dir, "recommend --run run --top x", 2, /--top x: /);
    await Deno.writeTextFile(join(dir, "eval.yaml"), "run: run\nbeam: 5\n");
    await refuses(
      dir,
      "evaluate --config eval.yaml --out eval",
      2,
      /Unknown key beam in eval\.yaml line 2 .* Did you mean beams\?/,
    );
  });
});

Deno.test("recommend refuses an item that the catalogue does not have", async () => {
  await withRun(async (dir) => {
    await refuses(dir, "recommend --run run --history 1,4", 1, /item 4 .*items 0 to 3/);
    await refuses(dir, "recommend --run run --history 1,x", 1, /item x .*items 0 to 3/);
  });
});

Deno.test("evaluate refuses what is no run, or has no such checkpoint", async () => {
  await withRun(async (dir) => {
    await refuses(
      dir,
      "evaluate --run nowhere --out eval",
      1,
      /Cannot open run nowhere: there is no such folder/,
    );
    await refuses(
      dir,
      "evaluate --run data --out eval",
      1,
      /Cannot open data as a run: it has no config\.json, but .*Expected .*sasrec.*`genrec sft`/,
    );
    await refuses(
      dir,
      "evaluate --run run --checkpoint step-9 --out eval",
      1,
      /checkpoint step-9 of run run: it has step-1/,
    );
    await Deno.remove(join(dir, "run/latest"));
    await refuses(dir, "evaluate --run run --out eval", 1, /Cannot use run run: it has no checkpoint yet/);
  });
});

Deno.test("every task that opens a run says of what is none what it is instead", async () => {
  await withRun(async (dir) => {
    await Deno.mkdir(join(dir, "empty"));
    await Deno.writeTextFile(join(dir, "file"), "");
    const tasks = [
      "recommend --history 1",
      "evaluate --out e",
      "export web --out s",
      "export gguf --out g",
      "generate --prompt a",
      "serve --port 0",
      "rl --out r",
    ];
    for (const task of tasks) {
      await refuses(
        dir,
        `${task} --run empty`,
        1,
        /Cannot open empty as a run: it is empty\. Expected .*sft/,
      );
      await refuses(dir, `${task} --run data`, 1, /Cannot open data as a run: it has no config\.json, but /);
      await refuses(dir, `${task} --run file`, 1, /Cannot open run file: it is a file\. Name the folder/);
      await refuses(dir, `${task} --run nowhere`, 1, /Cannot open run nowhere: there is no such folder/);
    }
  });
});

Deno.test("tasks that write a folder refuse a file of that name before they begin", async () => {
  await withData({}, async (dir) => {
    await Deno.writeTextFile(join(dir, "file"), "");
    await refuses(dir, [...TINY_SFT, "--out", "file"], 1, /Cannot keep a run in file: it is a file\. Name a/);
    await refuses(
      dir,
      "quickstart --out file",
      1,
      /Cannot use file: it is a file\. Name a folder with --out/,
    );
    await refuses(dir, [...TINY_SFT, "--sids", "data/.."], 1, /Cannot read .*index\.json: no such file/);
  });
});

Deno.test("evaluate refuses a dataset of other size than the run's", async () => {
  await withRun((dir) =>
    refuses(
      dir,
      "evaluate --run run --data synthetic --out eval",
      1,
      /trained on 4 items, the dataset has 600/,
    )
  );
});

Deno.test("evaluate refuses a run whose index, vocabulary and checkpoint do not belong together", async () => {
  await withRun(async (dir) => {
    const vocabularyPath = join(dir, "run/vocabulary.json");
    const indexPath = join(dir, "run/index.json");
    const index = await Deno.readTextFile(indexPath);
    await Deno.writeTextFile(indexPath, index.replace("<a_2>", "<a_3>"));
    await refuses(
      dir,
      "evaluate --run run --out eval",
      1,
      /differ first at item 2, which has <a_3><b_2> there/,
    );
    // A run from before has no catalogue.json: its vocabulary tells.
    await Deno.remove(join(dir, "run/catalogue.json"));
    await refuses(dir, "evaluate --run run --out eval", 1, /differ first at <a_3> and <a_2>/);

    // Both of another catalogue: only the size of the model tells.
    const { specialTokens, sidTokens } = JSON.parse(await Deno.readTextFile(vocabularyPath));
    const more = { specialTokens, sidTokens: [...sidTokens, "<b_9>"] };
    await Deno.writeTextFile(vocabularyPath, JSON.stringify(more));
    await Deno.writeTextFile(
      indexPath,
      index.replace("<b_0>", "<b_9>").replace('"<a_2>", "<b_2>"', '"<a_2>", "<b_0>"'),
    );
    await refuses(dir, "evaluate --run run --out eval", 1, /the model has 9 tokens, run has 10/);
  });
});

Deno.test("evaluate and recommend refuse a checkpoint that is cut off or not finite", async () => {
  await withRun(async (dir) => {
    const best = (await Deno.readTextFile(join(dir, "run/best"))).trim();
    const path = join(dir, "run/checkpoints", best, "model.safetensors");
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.subarray(0, -5));
    await refuses(dir, "evaluate --run run --out eval", 1, /model\.safetensors: .*should end at byte/);
    const tensors = readSafetensors(bytes);
    const [name, { data }] = [...tensors].at(-1)!;
    data[3] = NaN;
    await Deno.writeFile(path, writeSafetensors(tensors));
    await refuses(
      dir,
      "recommend --run run --history 1",
      1,
      new RegExp(`tensor ${name.replaceAll(".", "\\.")} holds NaN at 3`),
    );
  });
});

Deno.test("sid refuses embeddings that are missing, cut off, not finite or too few", async () => {
  await withRun(async (dir) => {
    const sid = "sid --embeddings items.npy --codebook-size 4 --out sids";
    const path = join(dir, "items.npy");
    await refuses(dir, sid, 1, /Cannot read items\.npy: no such file/);
    const values = Float32Array.from({ length: 12 }, (_, i) => i);
    await Deno.writeFile(path, writeNpy([6, 2], values).subarray(0, -4));
    await refuses(dir, sid, 1, /items\.npy: .*needs 48 bytes of data, the file has 44/);
    await Deno.writeFile(path, writeNpy([6, 2], values.with(5, Infinity)));
    await refuses(dir, sid, 1, /items\.npy: NaN or infinity in row 2 of 6/);
    await Deno.writeFile(path, writeNpy([3, 4], values));
    await refuses(dir, sid, 1, /Cannot learn 4 codewords from 3 items/);
  });
});

Deno.test("tasks name the cure where there is no adapter", async () => {
  await withRun(async (dir) => {
    const env = { VK_ICD_FILENAMES: "/nonexistent", VK_DRIVER_FILES: "/nonexistent" };
    const message = /Cannot find a WebGPU adapter: .*genrec doctor/;
    await refuses(dir, "evaluate --run run --out eval", 1, message, env);
    await refuses(dir, "recommend --run run --history 1", 1, message, env);
    await refuses(dir, "sid --data synthetic --out sids", 1, message, env);
  });
});

Deno.test("evaluate leaves nothing behind on a full disk or where a file is in the way", async () => {
  await withRun(async (dir) => {
    await Deno.writeTextFile(join(dir, "file"), "");
    await refuses(dir, "evaluate --run run --out file/eval", 1, /Cannot make folder file\/eval: /);
    // Every write to /dev/full fails as on a full disk.
    await Deno.mkdir(join(dir, "eval"));
    await Deno.symlink("/dev/full", join(dir, "eval/predictions.jsonl.partial"));
    // Deno opens what lies in /dev for programs with all rights alone: a folder there keeps them.
    const env = { TMPDIR: "/dev/shm" };
    const { code, stderr } = await genrec(dir, "evaluate --run run --out eval".split(" "), env);
    assert.equal(code, 1);
    assert.match(stderr, /error: Cannot write eval\/predictions\.jsonl: .*No space left/);
    assert.deepEqual(filesIn(join(dir, "eval")), []);
  });
});
