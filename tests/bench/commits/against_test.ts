import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { againstLines, commitRatios, type CommitRow } from "../../../bench/commits/against.ts";
import { checkOut } from "../../../bench/commits/checkout.ts";
import { timeInTurns } from "../../../bench/kernels/measure.ts";
import { Absent, type Session } from "../../../bench/kernels/remote.ts";
import type { ContenderTiming } from "../../../bench/kernels/report.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const timing = (...milliseconds: number[]): ContenderTiming => ({ milliseconds, error: 0, residentBytes: 0 });
const pair = (ours: ContenderTiming, theirs: ContenderTiming): CommitRow => ({
  row: { group: "matmul", name: "m", workload: { kind: "matmul", m: 1, k: 1, n: 1 } },
  ours,
  theirs,
});

const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found / expected - 1) < 1e-12, `${found}`);

Deno.test("commitRatios() are geometric means over turns with an interval around them", () => {
  const worked = (timing: ContenderTiming, ...processorMilliseconds: number[]) => ({
    ...timing,
    processorMilliseconds,
  });
  const theirs = worked(timing(2, 8, 8, 4, 4), 3, 3, 3, 3, 3);
  const { clock, processor } = commitRatios(pair(worked(timing(1, 1, 2, 1, 1), 2, 2, 2, 2, 2), theirs));
  near(clock!.ratio, 4); // 2, 8, 4, 4 and 4 times as long: (2 * 8 * 4 * 4 * 4) ^ (1 / 5)
  assert.ok(2 < clock!.ci95![0] && clock!.ci95![0] < 4 && 4 < clock!.ci95![1] && clock!.ci95![1] < 8);
  near(processor!.ratio, 1.5);
  processor!.ci95!.forEach((end) => near(end, 1.5));
  assert.equal(commitRatios(pair(timing(1, 1), timing(2, 2))).clock!.ci95, undefined);
  assert.deepEqual(commitRatios(pair(timing(1), { absent: "gone" })), {});
  assert.deepEqual(commitRatios(pair({ milliseconds: [1], error: 1, residentBytes: 0 }, timing(1))), {});
});

Deno.test("againstLines() calls a loss a loss where the whole interval is one", () => {
  const lines = againstLines(
    [
      pair(timing(2, 2, 2, 2, 2), timing(1, 1, 1, 1, 1)),
      pair(timing(1, 1, 1, 1, 1), timing(2, 2, 2, 2, 2)),
      pair(timing(2, 1, 1, 1, 1), timing(1, 2, 1, 1, 1)),
      pair(timing(1), timing(2)),
    ],
    "abcdef0+",
    "1234567",
  );
  const verdicts = lines.map((cells) => cells.at(-2)!.replace(/\[.*\] (?!$)/, ""));
  assert.deepEqual(verdicts, [
    "1234567 / abcdef0+ [95 %]",
    "0.500x LOSS",
    "2.000x faster",
    "1.000x no difference",
    "2.000x, too few turns",
  ]);
});

Deno.test("againstLines() of two drivers says which one is slower", () => {
  const words = { below: "other faster", above: "other slower" };
  const rows = [
    pair(timing(2, 2, 2, 2, 2), timing(1, 1, 1, 1, 1)),
    pair(timing(1, 1, 1, 1, 1), timing(2, 2, 2, 2, 2)),
  ];
  const verdicts = againstLines(rows, "system", "other", words).map((cells) => cells.at(-2)!);
  assert.deepEqual(verdicts, [
    "other / system [95 %]",
    "0.500x [0.500 - 0.500] other faster",
    "2.000x [2.000 - 2.000] other slower",
  ]);
});

Deno.test("timeInTurns() turns the order round each time, and leaves out who fails", async () => {
  const order: string[] = [];
  const session = (name: string, failsAt = Infinity): Session => {
    let times = 0;
    return {
      error: 0,
      time: () => {
        if (++times === failsAt) throw new Absent("fell over");
        order.push(name);
        return Promise.resolve({ milliseconds: times });
      },
      memory: () => Promise.resolve({ residentBytes: 7 }),
      close: () => Promise.resolve(order.push(`${name} closed`)).then(() => {}),
    };
  };
  const openers = [session("a"), session("b", 2)].map((opened, i) => ({
    name: `${i}`,
    open: () => Promise.resolve(opened),
  }));
  let ticks = 0;
  const found = await timeInTurns({ kind: "matmul", m: 1, k: 1, n: 1 }, openers, {
    repeats: 3,
    budget: 1,
    tick: () => ticks++,
  });
  assert.deepEqual(order, ["a", "b", "a", "a", "a closed", "b closed"]);
  assert.deepEqual(found, [{ milliseconds: [1, 2, 3], error: 0, residentBytes: 7 }, { absent: "fell over" }]);
  assert.equal(ticks, 2 + 3 * 2);
});

async function git(cwd: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", {
    cwd,
    args: ["-c", "user.name=n", "-c", "user.email=e@x", ...args],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("checkOut() lays a commit's files beside the repository and takes them away again", async () => {
  await withFiles({ "file.txt": "first" }, async (root) => {
    await git(root, "init", "-q");
    await git(root, "add", ".");
    await git(root, "commit", "-q", "-m", "one");
    const first = await git(root, "rev-parse", "HEAD");
    await Deno.writeTextFile(join(root, "file.txt"), "second");
    await git(root, "commit", "-q", "-a", "-m", "two");
    let folder = "";
    {
      await using checkout = await checkOut(first.slice(0, 12), root);
      folder = checkout.folder;
      assert.equal(checkout.commit, first.slice(0, 7));
      assert.equal(await Deno.readTextFile(join(folder, "file.txt")), "first");
      assert.equal(await Deno.readTextFile(join(root, "file.txt")), "second");
    }
    assert.ok(!existsSync(folder));
    assert.equal((await git(root, "worktree", "list")).split("\n").length, 1);
    for (const name of ["0000000", "no-such-branch", "--all"]) {
      await assert.rejects(
        checkOut(name, root),
        new RegExp(`Cannot measure against ${name}: no such commit`),
      );
    }
  });
});
