// Other projects' result files: written beside predictions.jsonl, and scored.
import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { writeResults } from "../../../tasks/_evaluate/results.ts";
import { scoreFiles, type ScoreFlags, type ScoreReport } from "../../../tasks/_evaluate/score.ts";
import { task as evaluate } from "../../../tasks/evaluate.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";
import { filesIn, withData, withRun } from "../genrec.ts";
import { collector } from "../../scenarios/text_shop.ts";

const SIDS = ["<a_1><b_2>", "<a_1><b_3>", "<a_2><b_2>", "<a_2><b_2>"];
const PREDICTIONS = [
  { user: "u", history: [0, 1], target: 2, rank: 1, items: [0, 3, 2], titles: [], scores: [] },
  { user: "v", history: [3], target: 1, rank: null, items: [2, 3, 0], titles: [], scores: [] },
].map((row) => JSON.stringify(row) + "\n").join("");

async function score(flags: Partial<ScoreFlags>): Promise<{ report: ScoreReport; lines: string[] }> {
  const lines: string[] = [];
  const all = { score: [], sids: "", data: "", split: "test" as const, out: "", seed: 1, ...flags };
  const report = await scoreFiles(all, { log: (line) => lines.push(line) });
  return { report, lines };
}

Deno.test("writeResults() writes MiniOneRec's list byte by byte as Python does", async () => {
  await withFiles({ "predictions.jsonl": PREDICTIONS }, async (dir) => {
    assert.deepEqual(await writeResults("minionerec", dir, SIDS), [`${dir}/minionerec/final_result.json`]);
    const input = (history: string) =>
      `Products that the customer took, oldest first: ${history}. Which one is next?`;
    assert.equal(
      await Deno.readTextFile(`${dir}/minionerec/final_result.json`),
      `[
    {
        "input": "${input("<a_1><b_2>, <a_1><b_3>")}",
        "output": "<a_2><b_2>\\n",
        "predict": [
            "<a_1><b_2>",
            "<a_2><b_2>"
        ]
    },
    {
        "input": "${input("<a_2><b_2>")}",
        "output": "<a_1><b_3>\\n",
        "predict": [
            "<a_2><b_2>",
            "<a_1><b_2>"
        ]
    }
]`,
    );
    const { report } = await score({ score: [`${dir}/minionerec/final_result.json`] });
    assert.deepEqual([report.users, report.beams, report.hr], [2, 2, { 1: 0 }]);
  });
});

Deno.test("writeResults() writes MIMIGenRec's rows and metrics, which --score finds too", async () => {
  await withFiles({ "predictions.jsonl": PREDICTIONS }, async (dir) => {
    await writeResults("mimigenrec", dir, SIDS, [1, 2]);
    assert.deepEqual(filesIn(`${dir}/mimigenrec`), ["final_result.json", "metrics.json", "metrics.tsv"]);
    const metrics = JSON.parse(await Deno.readTextFile(`${dir}/mimigenrec/metrics.json`));
    assert.deepEqual(metrics, { "HR@1": 0, "HR@2": 0.5, "NDCG@1": 0, "NDCG@2": 0.3155 });
    const { report } = await score({ score: [`${dir}/mimigenrec/final_result.json`], ks: [1, 2] });
    assert.deepEqual(report.hr, { 1: 0, 2: 0.5 });
    assert.equal(report.ndcg[2], 1 / Math.log2(3) / 2);
  });
});

const results = (...targets: string[]) =>
  JSON.stringify(targets.map((output) => ({ input: output, output, predict: ["<a_1><b_2>", "<a_9><b_9>"] })));

Deno.test("evaluate --score with --data scores the rows of a split and no others", async () => {
  await withData(
    { "../whole.json": results("<a_1><b_2>"), "../other.json": results("<a_1><b_3>") },
    async (dir) => {
      const data = `${dir}/data`,
        whole = [`${dir}/data/../whole.json`],
        other = [`${dir}/data/../other.json`];
      const { report, lines } = await score({ score: whole, data, out: `${dir}/scored`, ks: [1] });
      const { files, split, users, hr, hrItem, invalid, invalidBeforeHit } = report;
      assert.deepEqual([files, split, users, hr[1], hrItem![1]], [whole, "test", 1, 1, 1]);
      assert.deepEqual([invalid, invalidBeforeHit], [1, 0]);
      assert.deepEqual(JSON.parse(await Deno.readTextFile(`${dir}/scored/score.json`)), report);
      assert.match(lines.join("\n"), /1 users, 2 predictions each\n.*HR of items.*\n@1 +1\.0000/);
      // The index without the dataset gives the same but for the split.
      const { split: _, ...same } = report;
      assert.deepEqual((await score({ score: whole, sids: data, ks: [1] })).report, same);

      const refuses = (flags: Partial<ScoreFlags>, message: RegExp) =>
        assert.rejects(score(flags), (error) => error instanceof UserError && message.test(error.message));
      await refuses({ score: [...whole, ...other], data }, /2 rows as split test: it has 1 samples/);
      await refuses({ score: other, data }, /other\.json row 1 as split test/);
      await refuses({ score: [...whole, ...whole], data }, /rows are those of/);
      await refuses({ score: [`${dir}/none.json`] }, /none\.json: no such file/);
      await refuses({ score: whole, data, split: "train" }, /it has 3 samples.*Name all shards/);
    },
  );
});

Deno.test("evaluate --format writes what --score gives evaluate's own metrics for", async () => {
  await withRun(async (dir) => {
    const run = async (...words: string[]) => {
      const { io, lines } = collector();
      await evaluate.run(
        parseArgs(evaluate, ["--data", `${dir}/data`, "--split", "train", ...words])!.config,
        io,
      );
      return lines;
    };
    const lines = await run(
      "--run",
      `${dir}/run`,
      "--out",
      `${dir}/eval`,
      "--beams",
      "3",
      "--format",
      "minionerec",
    );
    const file = `${dir}/eval/minionerec/final_result.json`;
    assert.equal(lines.at(-1), `Wrote ${file}`);
    await run("--score", file, "--out", `${dir}/scored`);
    const read = async (path: string) => JSON.parse(await Deno.readTextFile(`${dir}/${path}`));
    const [own, scored] = [await read("eval/metrics.json"), await read("scored/score.json")];
    for (const field of ["users", "beams", "hr", "ndcg", "hrItem", "ndcgItem", "ci95"]) {
      assert.deepEqual(scored[field], own[field], field);
    }
    assert.equal(scored.users, 3);
  });
});
