import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../../base/user_error.ts";
import type { CompareReport } from "../../../tasks/_evaluate/compare_folders.ts";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { task } from "../../../tasks/evaluate.ts";
import { evaluated, USERS, withSevenUsers } from "../seven_users.ts";
import { collector } from "../../scenarios/text_shop.ts";

/** Copies an evaluation with other ranks; null leaves the row as it is. */
async function withRanks(dir: string, from: string, to: string, ranks: (number | null)[]): Promise<void> {
  cpSync(join(dir, from), join(dir, to), { recursive: true });
  const path = join(dir, to, "predictions.jsonl");
  const rows = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => JSON.parse(line));
  const lines = rows.map((row, i) => JSON.stringify({ ...row, rank: ranks[i] }) + "\n");
  await Deno.writeTextFile(path, lines.join(""));
}

async function compared(dir: string, folders: string[], settings: Record<string, unknown> = {}) {
  const { io, lines } = collector();
  const compare = folders.map((folder) => join(dir, folder));
  await task.run(task.config.parse({ compare, out: join(dir, "compared"), ...settings }), io);
  const report: CompareReport = JSON.parse(await Deno.readTextFile(join(dir, "compared/compare.json")));
  return { report, lines };
}

async function refuses(
  dir: string,
  folders: string[],
  message: RegExp,
  settings: Record<string, unknown> = {},
) {
  await assert.rejects(() => compared(dir, folders, settings), (error: Error) => {
    assert.ok(error instanceof UserError, `${error.stack}`);
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("evaluate --compare pairs users, by slices too, and says in words what it found", async () => {
  await withSevenUsers(async (dir) => {
    await evaluated(dir, "eval");
    await withRanks(dir, "eval", "bad", new Array(USERS).fill(null));
    await withRanks(dir, "eval", "good", new Array(USERS).fill(0));
    await withRanks(dir, "eval", "half", [0, null, null, 0, null, null, null]);

    const { report, lines } = await compared(dir, ["bad", "good", "half"], { credit: "string" });
    assert.deepEqual([report.split, report.users, report.baseline.folder], ["test", USERS, join(dir, "bad")]);
    const [good, half] = report.comparisons;
    const { difference, ci95, p } = good.ndcg[3];
    assert.deepEqual([difference, ci95, p], [1, [1, 1], 2 / 2 ** USERS]);
    assert.deepEqual([half.hr[1].value, half.hr[1].difference, half.hr[1].p], [2 / 7, 2 / 7, 2 / 4]);
    assert.match(
      good.verdict,
      /^NDCG@3 \+1\.0000 \(95 % \+1\.0000 to \+1\.0000, p 0\.016, 7 users\): .*good is better /,
    );
    assert.match(half.verdict, /: no difference between .*half and .*bad is shown$/);
    assert.ok(lines.includes(good.verdict) && lines.some((line) => /^NDCG@3 +0\.0000 +1\.0000/.test(line)));
    // Histories of U1, U3 and U5 have one item, U0, U2 and U6 two, U4 three.
    const { historyLength, repeatedTarget } = half.slices;
    assert.deepEqual([historyLength["1-2"].users, historyLength["1-2"].hr[3].value], [6, 2 / 6]);
    assert.deepEqual([historyLength["3-5"].users, historyLength["3-5"].hr[3].value], [1, 0]);
    // U2, U3 and U4 buy again what is in their history.
    assert.equal(repeatedTarget.repeated.users, 3);

    const noted = (lines: readonly string[]) =>
      lines.some((line) => /however many items share its SID/.test(line));
    assert.ok(noted(lines), lines.join("\n"));
    // Targets that share a SID, item 2's and item 3's, count half.
    const grouped = await compared(dir, ["bad", "good"], { ks: [1, 40] });
    assert.ok(!noted(grouped.lines));
    assert.equal(grouped.report.comparisons[0].hr[1].value, (4 + 3 / 2) / 7);
    assert.deepEqual(Object.keys(grouped.report.comparisons[0].hr), ["1"]);
  });
});

Deno.test("evaluate --compare refuses other users, targets, splits and limits", async () => {
  await withSevenUsers(async (dir) => {
    await evaluated(dir, "eval");
    const changed = async (name: string, file: string, from: string, to: string) => {
      cpSync(join(dir, "eval"), join(dir, name), { recursive: true });
      const path = join(dir, name, file);
      const text = await Deno.readTextFile(path);
      assert.ok(text.includes(from));
      await Deno.writeTextFile(path, text.replace(from, to));
    };
    await refuses(dir, ["eval"], /Cannot compare .*eval with nothing/);
    await refuses(dir, ["eval", "nowhere"], /nowhere\/metrics\.json: no such file/);
    await changed("split", "metrics.json", '"split": "test"', '"split": "valid"');
    await refuses(dir, ["eval", "split"], /its split is valid, that of the baseline is test/);
    await changed("limit", "metrics.json", '"limit": 0', '"limit": 7');
    await refuses(dir, ["eval", "limit"], /its limit is 7, that of the baseline is none/);
    await changed("user", "predictions.jsonl", '"user":"U3"', '"user":"U9"');
    await refuses(dir, ["eval", "user"], /the user of row 3 is U9, that of the baseline is U3/);
    await changed("target", "predictions.jsonl", '"target":2', '"target":0');
    await refuses(dir, ["eval", "target"], /the target of row 2 is 0, that of the baseline is 2/);
    const [line] = (await Deno.readTextFile(join(dir, "eval/predictions.jsonl"))).split("\n");
    await changed("short", "predictions.jsonl", line + "\n", "");
    await refuses(dir, ["eval", "short"], /predictions\.jsonl has 6 users, its metrics\.json 7/);
    await refuses(dir, ["eval", "eval"], /users are not those of split test of synthetic/, {
      data: "synthetic",
    });
    await refuses(dir, ["eval", "eval"], /Cannot compare at 9: the lists have 3 beams/, { ks: [9] });
  });
});

Deno.test("evaluate takes the folders of --compare as words or joined by commas", () => {
  for (const words of [["--compare", "a", "b"], ["--compare", "a,b"], ["--compare", "a", "--compare", "b"]]) {
    assert.deepEqual(parseArgs(task, [...words, "--seed", "1"])!.config.compare, ["a", "b"]);
  }
});
