import assert from "node:assert/strict";
import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { parseArgs, UsageError } from "../../tasks/_cli/cli.ts";
import { compare, task } from "../../tasks/compare.ts";
import { withFiles } from "../data/formats/minionerec/fixture.ts";
import { writeRun, type Written } from "./_compare/folders.ts";
import { collector } from "../scenarios/text_shop.ts";

async function compared(dir: string, flags: Record<string, unknown>) {
  const { io, lines } = collector();
  const settings = task.config.parse({ out: join(dir, "out"), ks: [1, 10], ...flags });
  return { report: await compare(settings, io), lines };
}

async function refuses(dir: string, flags: Record<string, unknown>, message: RegExp) {
  await assert.rejects(() => compared(dir, flags), (error: Error) => {
    assert.ok(error instanceof UserError, `${error.stack}`);
    assert.match(error.message, message);
    return true;
  });
}

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-4, `${actual} is not ${expected}`);

Deno.test("compare gives means over seeds with t-intervals, and paired tests of users with seeds averaged", async () => {
  await withFiles({}, async (dir) => {
    const folders = await Promise.all([
      writeRun(dir, "counts-42", { ranks: [null, null, null, 0], metrics: { secondsPerUser: 0.01 } }),
      writeRun(dir, "ours-42", { ranks: [0, null, null, 0], seconds: 100 }),
      writeRun(dir, "ours-43", { seed: 43, ranks: [0, 0, null, 0], seconds: 200 }),
      writeRun(dir, "ours-44", { seed: 44, ranks: [0, 0, 0, 0], seconds: 300 }),
    ]);
    const { report, lines } = await compared(dir, { evals: folders, baseline: "counts" });
    assert.deepEqual(
      [report.baseline, report.split, report.users, report.dataset, report.ks],
      ["counts", "test", 4, "shop", [1, 10]],
    );
    const [counts, ours] = report.systems;
    assert.deepEqual([counts.name, counts.hr[1].mean, counts.hr[1].ci95, counts.comparison], [
      "counts",
      0.25,
      null,
      null,
    ]);
    // 0.5, 0.75 and 1: deviation 0.25, and t is 4.30265 with two degrees of freedom.
    const { seeds, mean, deviation, ci95 } = ours.hr[1];
    assert.deepEqual([ours.name, seeds, mean, deviation], ["ours", 3, 0.75, 0.25]);
    close(ci95![1] - mean, 4.30265 * 0.25 / Math.sqrt(3));
    assert.deepEqual(ours.evaluations.map(({ seed, hr }) => [seed, hr[1]]), [[42, 0.5], [43, 0.75], [44, 1]]);
    assert.deepEqual([ours.parameters!.mean, ours.trainingSeconds!.mean, ours.usersPerSecond!.mean], [
      6,
      200,
      50,
    ]);
    // Users gain 1, 2/3, 1/3 and 0: of eight sign patterns two are as far.
    const gain = ours.comparison!.hr[1];
    assert.deepEqual([gain.baseline, gain.value, gain.p], [0.25, 0.75, 2 / 8]);
    close(gain.difference, 0.5);
    assert.equal(ours.comparison!.direction, "none");
    assert.match(
      ours.comparison!.verdict,
      /^NDCG@10 \+0\.5000 .*no difference between ours and counts is shown$/,
    );
    assert.ok(report.notes.some((note) => /no interval over seeds for counts/.test(note)), `${report.notes}`);
    assert.ok(
      lines.some((line) => /^ours +3 +0\.7500 ± 0\.6210 .* 6 +3m20s +50$/.test(line)),
      lines.join("\n"),
    );

    const read = (name: string) => Deno.readTextFile(join(dir, "out", name));
    assert.deepEqual(JSON.parse(await read("compare.json")), report);
    assert.match(await read("compare.md"), /\| counts \(baseline\) \| 1 \| 0\.2500 \| 0\.2500 \|/);
    assert.match(await read("compare.html"), /<h1>Comparison of 2 systems<\/h1>/);
    const noted = ({ notes }: typeof report) =>
      notes.some((note) => /however many items share its SID/.test(note));
    const bySid = await compared(dir, { evals: folders, baseline: "counts", credit: "string" });
    assert.deepEqual([report, bySid.report].map(noted), [false, true]);
  });
});

Deno.test("compare takes groups by folder and by pattern, and runs in place of folders", async () => {
  await withFiles({}, async (dir) => {
    const ranks = [0, 1];
    const [a, b, c] = await Promise.all([
      writeRun(dir, "a-42", { ranks }),
      writeRun(dir, "a-43", { seed: 43, ranks }),
      writeRun(dir, "deep/c", { ranks, metrics: { run: "moved/c", checkpoint: undefined } }),
    ]);
    const pattern = await compared(dir, {
      evals: [a, b],
      group: [`two seeds=*/a-*`, `c=${join(dir, "runs/deep/c")}/`],
      baseline: "c",
    });
    assert.deepEqual(pattern.report.systems.map(({ name, evaluations }) => [name, evaluations.length]), [
      ["two seeds", 2],
      ["c", 1],
    ]);
    assert.deepEqual(pattern.report.systems[1].parameters!.mean, 6); // of the best checkpoint
    const listed = await compared(dir, { group: [`x=${a}`, b, `c=${c}`], baseline: "x" });
    assert.deepEqual(listed.report.systems.map(({ name, evaluations }) => [name, evaluations.length]), [
      ["x", 2],
      ["c", 1],
    ]);
    await refuses(
      dir,
      { evals: [a, b], group: ["c=*/c-*"], baseline: "c" },
      /none of --evals fits the pattern/,
    );
    await refuses(
      dir,
      { evals: [c], group: [`x=${a}`, b, `y=${a}`], baseline: "x" },
      /in x and y: name it in one/,
    );
    await refuses(dir, { evals: [a, join(dir, "runs/a-42")], baseline: "a" }, /a-42\/eval twice/);
    await refuses(dir, { evals: [a, c], baseline: "cc" }, /the systems are a, deep\/c/);
    await assert.rejects(
      () => compared(dir, { evals: [a, b], group: ["nameless"], baseline: "a" }),
      UsageError,
    );
    const { config } = parseArgs(task, [
      "--group",
      `x=${a},${b}`,
      "--group",
      "c=c",
      "--baseline",
      "x",
      "--out",
      "o",
    ])!;
    assert.deepEqual(config.group, [`x=${a}`, b, "c=c"]);
  });
});

Deno.test("what a run of an older version does not tell is the default of its task", async () => {
  await withFiles({}, async (dir) => {
    const manifest = { task: "sft" };
    const older = await writeRun(dir, "a-42", { ranks: [0, null], manifest });
    const newer = (name: string, loraR: number) =>
      writeRun(dir, name, { seed: 43, ranks: [0, 1], manifest, config: { loraR } });
    const group = (other: string) => [`a=${older}`, other];
    const same = group(await newer("a-43", 0));
    const { report } = await compared(dir, { group: same, baseline: "a" });
    assert.deepEqual(report.systems.map(({ evaluations }) => evaluations.length), [2]);
    await refuses(
      dir,
      { group: group(await newer("b-43", 8)), baseline: "a" },
      /seeds of a: loraR is 8 and 0/,
    );
  });
});

Deno.test("compare refuses what is no other seed of the same system, naming the setting", async () => {
  await withFiles({}, async (dir) => {
    const ranks = [0, null];
    const first = await writeRun(dir, "a-42", {
      ranks,
      config: { sids: "sids/rq-42/index.json", runs: ["runs/b-42"] },
    });
    const cases: [string, Omit<Written, "ranks">, RegExp][] = [
      ["other-43", { config: { learningRate: 0.2 } }, /seeds of a: learningRate is 0\.2 and 0\.1/],
      [
        "same-42",
        { seed: 42, config: { sids: "sids/rq-42/index.json", runs: ["runs/b-42"] } },
        /two seeds of a: both have seed 42/,
      ],
      // A seed that was used again, with other settings.
      [
        "again-42",
        { seed: 42, config: { learningRate: 0.2 } },
        /seeds of a: learningRate is 0\.2 and 0\.1, both with seed 42, expected runs that differ in their seed alone\. Give/,
      ],
      ["extra-43", { config: { loraR: 8 } }, /seeds of a: loraR is 8 and none/],
      ["beams-43", { metrics: { beams: 30 } }, /seeds of a: beams is 30 and 20/],
      ["drawn-43", { metrics: { temperature: 1, topK: 5 } }, /seeds of a: temperature is 1 and none/],
      ["few-43", { metrics: { topK: 5 } }, /seeds of a: topK is 5 and 0/],
      [
        "sids-43",
        { config: { sids: "sids/vae-43/index.json" } },
        /sids is "sids\/vae-43\/index\.json" and "sids\/rq-42/,
      ],
      ["model-43", { config: { model_type: "qwen2" } }, /learningRate is none and 0\.1/],
    ];
    for (const [name, written, message] of cases) {
      const config = { sids: "sids/rq-43/index.json", runs: ["runs/b-43"], ...written.config };
      const folder = await writeRun(dir, name, { seed: 43, ranks, ...written, config });
      await refuses(dir, { group: [`a=${first}`, folder], baseline: "a" }, message);
    }
    const config = {
      sids: "sids/rq-43/index.json",
      runs: ["runs/b-43"],
      adapter: "1",
      variant: "matmul=shared",
    };
    const good = await writeRun(dir, "a-43", { seed: 43, ranks, config });
    const { report } = await compared(dir, { group: [`a=${first}`, good], baseline: "a" });
    assert.deepEqual(report.systems.map(({ evaluations }) => evaluations.length), [2]);
  });
});

Deno.test("compare follows a run to the one that it goes on from", async () => {
  await withFiles({}, async (home) => {
    const dir = join(home, "shelf-43"); // a number that is a seed, too
    await Deno.mkdir(dir);
    const ranks = [0, null];
    const goesOn = (from: string, seed: number) =>
      writeRun(dir, `rl-${seed}`, { seed, ranks, seconds: 5, config: { run: join(dir, "runs", from) } });
    const counts = await writeRun(dir, "counts", { ranks });
    await writeRun(dir, "sft-42", { ranks, seconds: 60 });
    await writeRun(dir, "sft-43", { seed: 43, ranks, seconds: 80 });
    const folders = [await goesOn("sft-42", 42), await goesOn("sft-43", 43), counts];
    const { report } = await compared(dir, { evals: folders, baseline: "counts" });
    assert.deepEqual([report.systems[0].name, report.systems[0].trainingSeconds!.mean], ["rl", 75]);
    await writeRun(dir, "sft-43", { seed: 43, ranks, config: { learningRate: 1 } });
    await refuses(
      dir,
      { evals: folders, baseline: "counts" },
      /seeds of rl: run\.learningRate is 1 and 0\.1/,
    );
    await Deno.remove(join(dir, "runs/sft-42"), { recursive: true });
    await Deno.remove(join(dir, "runs/sft-43"), { recursive: true });
    const alone = await compared(dir, { evals: folders, baseline: "counts" });
    assert.equal(alone.report.systems[0].trainingSeconds, null);

    await Deno.mkdir(join(dir, "qwen"));
    await Deno.writeTextFile(join(dir, "qwen/config.json"), JSON.stringify({ model_type: "qwen2" }));
    const config = { run: join(dir, "qwen") };
    const tuned = await writeRun(dir, "tuned-42", { ranks, seconds: 5, config });
    const { report: { systems } } = await compared(dir, { evals: [tuned, counts], baseline: "counts" });
    assert.equal(systems[0].trainingSeconds!.mean, 5); // nothing tells what a model by itself took
    const other = await writeRun(dir, "tuned-43", { seed: 43, ranks, config: { run: "llama" } });
    await refuses(
      dir,
      { evals: [tuned, other, counts], baseline: "counts" },
      /seeds of tuned: run is "llama" and/,
    );
  });
});

Deno.test("compare refuses other splits, users and datasets, and files that are missing", async () => {
  await withFiles({}, async (dir) => {
    const ranks = [0, null];
    const first = await writeRun(dir, "a", { ranks });
    const data = join(dir, "data");
    const cases: [string, Omit<Written, "ranks">, RegExp][] = [
      ["split", { metrics: { split: "valid" } }, /its split is valid, that of the baseline is test/],
      ["users", { users: ["U0", "U9"] }, /the user of row 1 is U9, that of the baseline is U1/],
      [
        "hash",
        { manifest: { inputs: { [join(data, "train.csv")]: "bb" } } },
        /train\.csv of its dataset is another/,
      ],
      [
        "name",
        { manifest: { inputs: {}, dataset: "office" } },
        /its dataset is office, that of the other shop/,
      ],
      ["count", { metrics: { users: 3 } }, /has 2 users, its metrics\.json 3/],
    ];
    for (const [name, written, message] of cases) {
      const folder = await writeRun(dir, name, { ranks, ...written });
      await refuses(dir, { evals: [first, folder], baseline: "a" }, message);
    }
    const evals = [first, await writeRun(dir, "b", { ranks })];
    await refuses(
      dir,
      { evals, baseline: "a", ks: [50] },
      /Cannot compare at 50: the shortest lists have 20 places/,
    );
    await refuses(dir, { evals: [first], baseline: "a" }, /fewer than two evaluations/);
    await refuses(
      dir,
      { evals: [first, join(dir, "none")], baseline: "a" },
      /none\/metrics\.json: no such file/,
    );
    await Deno.remove(join(dir, "runs/b/eval/predictions.jsonl"));
    await refuses(dir, { evals, baseline: "a" }, /b\/eval\/predictions\.jsonl: no such file/);
    await writeRun(dir, "b", { ranks });
    await Deno.remove(join(dir, "runs/b/config.json"));
    await refuses(dir, { evals, baseline: "a" }, /its run .*b has no config\.json/);
    await writeRun(dir, "b", { ranks });
    await Deno.remove(join(dir, "runs/b/eval"), { recursive: true });
    await refuses(
      dir,
      { evals: [first, join(dir, "runs/b")], baseline: "a" },
      /it is a run without an evaluation/,
    );
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["runs"]); // nothing was written
  });
});
