// Evaluations made in parts: by several processes, or by one that was stopped.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { OutputLock } from "../../../base/files/output/lock.ts";
import { UserError } from "../../../base/user_error.ts";
import type { EvaluateReport } from "../../../tasks/_evaluate/report_lines.ts";
import { userRows } from "../../../tasks/_evaluate/shards.ts";
import { task } from "../../../tasks/evaluate.ts";
import fc from "../../property.ts";
import { filesIn, genrec } from "../genrec.ts";
import { evaluated, USERS, withSevenUsers } from "../seven_users.ts";
import { collector } from "../../scenarios/text_shop.ts";

const EVALUATION = ["metrics.json", "predictions.jsonl"];
const untimed = ({ secondsPerUser: _, ...report }: EvaluateReport) => report;

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

Deno.test("userRows() divides rows among shards, each once", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (total, n) => {
    fc.pre(n <= total);
    const parts = Array.from({ length: n }, (_, i) => userRows(`${i}/${n}`, total));
    assert.equal(parts[0].first, 0);
    assert.equal(parts.at(-1)!.end, total);
    parts.slice(1).forEach(({ first }, i) => assert.equal(first, parts[i].end));
  }));
  assert.deepEqual(userRows("", 7), { first: 0, end: 7 });
  assert.deepEqual(userRows("1/3", 7), { first: 2, end: 4 });
  assert.throws(() => userRows("3/3", 7), /shard 3\/3: expected one from 0\/3 to 2\/3/);
  assert.throws(() => userRows("0/9", 7), /it has none of 7 users/);
});

Deno.test("evaluate --merge gives the bytes of one process, and refuses what is no whole", async () => {
  await withSevenUsers(async (dir) => {
    const whole = await evaluated(dir, "whole", { mixture: 0.5, baselines: true });
    for (const i of [0, 1]) await evaluated(dir, `part-${i}`, { shard: `${i}/2` });
    const parts = (...numbers: number[]) => numbers.map((i) => join(dir, `part-${i}`));
    const run = "";
    const merged = await evaluated(dir, "merged", {
      run,
      merge: parts(1, 0),
      mixture: 0.5,
      baselines: true,
    });
    assert.equal(merged.predictions, whole.predictions);
    const { mixture, baselines, ...rest } = untimed(merged.report);
    const { mixture: wholeMixture, baselines: wholeBaselines, ...wholeRest } = untimed(whole.report);
    assert.deepEqual(rest, wholeRest);
    assert.deepEqual(mixture!.hr, wholeMixture!.hr);
    assert.deepEqual(baselines!.popularity.ci95, wholeBaselines!.popularity.ci95);
    assert.ok(merged.report.secondsPerUser > 0);
    assert.equal(rest.users, USERS);

    const out = join(dir, "other");
    await refuses({ out, merge: parts(1) }, /rows 0 to 2 are missing, expected rows 0 to 6/);
    await refuses({ out, merge: parts(0) }, /rows 3 to 6 are missing/);
    await refuses({ out, merge: parts(0, 1, 1) }, /row 3 of .*part-1 is also in .*part-1/);
    const metrics = join(dir, "part-1/metrics.json");
    const text = await Deno.readTextFile(metrics);
    await Deno.writeTextFile(
      metrics,
      text.replace('"normalisation": "vocab"', '"normalisation": "children"'),
    );
    await refuses({ out, merge: parts(0, 1) }, /part-1 .*normalisation children, .*part-0 has vocab/);
    assert.deepEqual(filesIn(out), []);
  });
});

Deno.test("evaluate --resume keeps the rows of a killed evaluation but a torn one, and ranks the others", async () => {
  await withSevenUsers(async (dir) => {
    const whole = await evaluated(dir, "whole");
    const lines = whole.predictions.split("\n");
    await Deno.mkdir(join(dir, "killed"));
    const torn = [...lines.slice(0, 3), lines[3].slice(0, 20)].join("\n");
    await Deno.writeTextFile(join(dir, "killed/predictions.jsonl.partial"), torn);
    await Deno.writeTextFile(join(dir, "killed/evaluation.json"), JSON.stringify(whole.report));

    const flags = { run: join(dir, "run"), data: join(dir, "data"), out: join(dir, "killed"), beams: 3 };
    await refuses(flags, /killed: it holds the rows of an evaluation that did not end\. Go on with --resume/);
    await refuses({ ...flags, resume: true, beams: 4 }, /killed with beams 4: its rows were made with 3/);

    const resumed = await evaluated(dir, "killed", { resume: true });
    assert.ok(resumed.lines.includes("3 of 7 users are there from before"), resumed.lines.join("\n"));
    assert.equal(resumed.predictions, whole.predictions);
    assert.deepEqual(untimed(resumed.report), untimed(whole.report));
    assert.deepEqual(filesIn(join(dir, "killed")), EVALUATION);
  });
});

Deno.test("evaluate that is stopped keeps its rows; --resume needs no model where all are there", async () => {
  await withSevenUsers(async (dir) => {
    const { io, lines } = collector((label) => label.startsWith("evaluate"));
    const flags = { run: join(dir, "run"), data: join(dir, "data"), out: join(dir, "eval"), beams: 3 };
    await assert.rejects(() => task.run(task.config.parse(flags), io) as Promise<void>);
    assert.match(lines.at(-1)!, /7 of 7 users are kept: go on with --resume/);
    assert.deepEqual(filesIn(join(dir, "eval")), ["evaluation.json", "predictions.jsonl.partial"]);

    const [name] = [...Deno.readDirSync(join(dir, "run/checkpoints"))].map(({ name }) => name);
    const weights = join(dir, "run/checkpoints", name, "model.safetensors");
    cpSync(weights, join(dir, "weights"));
    Deno.removeSync(weights);
    const { report } = await evaluated(dir, "eval", { resume: true });
    assert.deepEqual(filesIn(join(dir, "eval")), EVALUATION);
    // Of a whole evaluation too: other cut-offs from the same rows.
    const other = await evaluated(dir, "eval", { resume: true, ks: [2], credit: "string" });
    assert.deepEqual([Object.keys(other.report.hr), other.report.credit], [["2"], "string"]);
    assert.equal(other.report.secondsPerUser, report.secondsPerUser);

    cpSync(join(dir, "weights"), weights);
    const fresh = await evaluated(dir, "fresh", { ks: [2], credit: "string" });
    assert.deepEqual(untimed(other.report), untimed(fresh.report));
    assert.ok(fresh.report.hrItem[2] <= fresh.report.hr[2]);
    const byItem = new RegExp(
      `--credit string\\); by item HR@2 is ${fresh.report.hrItem[2].toFixed(4)}, NDCG@2 `,
    );
    assert.ok(fresh.lines.some((line) => byItem.test(line)), fresh.lines.join("\n"));
  });
});

Deno.test("evaluate --shards starts processes, merges what they wrote, and passes on why one failed", async () => {
  await withSevenUsers(async (dir) => {
    const { predictions } = await evaluated(dir, "whole");
    const shards = "evaluate --data data --out eval --beams 3 --shards 2 --run".split(" ");
    const failed = await genrec(dir, [...shards, "nowhere"]);
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /error: Cannot evaluate shard [01]\/2: Cannot open run nowhere: there is no such folder/,
    );

    // The second shard alone has the adapter that there is not.
    const lost = await genrec(dir, [...shards, "run", "--shard-adapters", "0,no such adapter"]);
    assert.equal(lost.code, 1);
    assert.match(lost.stderr, /error: Cannot evaluate shard 1\/2: .*no such adapter/);

    const { code, stderr } = await genrec(dir, [...shards, "run", "--shard-adapters", "0", "--resume"]);
    assert.equal(code, 0, stderr);
    assert.equal(await Deno.readTextFile(join(dir, "eval/predictions.jsonl")), predictions);
    assert.deepEqual(filesIn(join(dir, "eval")), EVALUATION);
  });
});

Deno.test("evaluate --shards refuses a folder in the way of a shard, whatever it holds, and deletes nothing", async () => {
  await withSevenUsers(async (dir) => {
    const shards = "evaluate --run run --data data --out eval --beams 3 --shards 2".split(" ");
    for (const [more, name] of [[[], "metrics.json"], [["--resume"], "notes.txt"]] as const) {
      await Deno.mkdir(join(dir, "eval/shard-1"), { recursive: true });
      await Deno.writeTextFile(join(dir, "eval/shard-1", name), "precious");
      const { code, stderr } = await genrec(dir, [...shards, ...more]);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(
          `error: Cannot evaluate in eval/shard-1, which is removed at the end: it holds ${name}\\. Move it`,
        ),
      );
      assert.equal(await Deno.readTextFile(join(dir, "eval/shard-1", name)), "precious");
      await Deno.remove(join(dir, "eval"), { recursive: true });
    }
  });
});

Deno.test("of two evaluations into one folder the second is refused and names the first", async () => {
  await withSevenUsers(async (dir) => {
    await using _first = await OutputLock.take(join(dir, "eval"), "evaluate");
    const { code, stderr } = await genrec(
      dir,
      "evaluate --run run --data data --out eval --resume".split(" "),
    );
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`Cannot write eval: .genrec evaluate. \\(process ${Deno.pid} on`));
    assert.equal(filesIn(join(dir, "eval")), undefined);
  });
});
