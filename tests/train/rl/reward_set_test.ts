import assert from "node:assert/strict";
import { join } from "node:path";
import { parseRewards, rewardMethod, REWARDS } from "../../../train/rl/rewards/by_name.ts";
import type { Reward } from "../../../train/rl/rewards/reward.ts";
import { createRewards, type RewardSet } from "../../../train/rl/reward_set.ts";
import { exampleContext, exampleGroup } from "./rewards/example.ts";

const group = exampleGroup([0, 1], [1], { history: [0, 1, 2, 3, 4, 5, 0] });
const EXAMPLE =
  'The example: history 2 earlier items, 2 "Item 2", 3 "Item 3", 4 "Item 4", 5 "Item 5", 0 "Item 0"; ' +
  'target 1 "Item 1"';

const setOf = (reward: Reward): Promise<RewardSet> =>
  createRewards(
    [{ method: { name: "mine", summary: "", create: () => reward }, weight: 1 }],
    exampleContext(),
  );

const parsed = (list: string) =>
  parseRewards(list.split(",")).map(({ method, weight }) => [method.name, weight]);

Deno.test("parseRewards() reads names and files with weights", () => {
  assert.deepEqual(parsed("rule,ranking:0.5"), [["rule", 1], ["ranking", 0.5]]);
  assert.deepEqual(parsed(" ndcg : 2 , ./mine.ts:1e-1,"), [["ndcg", 2], ["./mine.ts", 0.1]]);
  assert.deepEqual(parsed("C:\\mine.ts,D:/a.js:-1,hit:0"), [["C:\\mine.ts", 1], ["D:/a.js", -1], ["hit", 0]]);
});

Deno.test("parseRewards() refuses unknown names with a suggestion", () => {
  const unknown = (list: string, hint: RegExp) =>
    assert.throws(() => parseRewards(list.split(",")), { name: "UserError", message: hint });
  unknown(
    "rule,rankng",
    /^Cannot reward by "rankng": .* Expected one of collaborative, hit, .*Did you mean ranking\?$/,
  );
  unknown("ranking_only", /Did you mean ranking\?$/);
  unknown("sasrec", /Did you mean collaborative\?$/);
  unknown("constructor", /a \.ts file of yours$/);
  unknown("rule,rule:2", /rule is listed twice/);
  unknown(" , ", /expected at least one/);
  unknown("rule:much", /^Cannot weigh reward "rule" by "much": expected a number, such as rule:0.5$/);
  unknown("rule:", /Cannot weigh reward "rule" by ""/);
  unknown("rule:Infinity", /Cannot weigh/);
});

Deno.test("every reward is found by its name, which no other has", () => {
  for (const method of REWARDS) assert.equal(rewardMethod(method.name), method);
  assert.equal(new Set(REWARDS.map(({ name }) => name)).size, REWARDS.length);
});

Deno.test("every reward gives a finite number for each completion, in sampled groups too", async () => {
  for (const method of REWARDS.filter(({ files }) => files === undefined)) {
    const rewards = await createRewards([{ method, weight: 1 }], exampleContext());
    const { total } = await rewards.score(
      exampleGroup([0, 4, 0], [4, 5], { history: [1], logProbs: [-1, -2, -1] }),
    );
    assert.equal(total.length, 3, method.name);
    assert.equal(total[0], total[2], `${method.name}: equal answers, equal rewards`);
    assert.ok(total.every(Number.isFinite) && total[1] >= total[0], `${method.name}: the hit is the best`);
  }
});

Deno.test("score() shows the example where a value is not finite", async () => {
  const rewards = await setOf({ score: () => Float64Array.of(0, NaN) });
  await assert.rejects(rewards.score(group), {
    name: "UserError",
    message:
      `Cannot use reward mine: its value of completion 1 (1 "Item 1") is NaN, expected a finite number. ${EXAMPLE}`,
  });
});

Deno.test("score() shows the example where a reward fails or returns another number of values", async () => {
  const failing = await setOf({
    score: () => {
      throw new Error("no such table");
    },
  });
  await assert.rejects(failing.score(group), {
    name: "UserError",
    message: `Cannot use reward mine: it failed with: no such table. ${EXAMPLE}`,
  });
  const short = await setOf({ score: () => Float64Array.of(0) });
  await assert.rejects(short.score(group), {
    name: "UserError",
    message: `Cannot use reward mine: it returned 1 values, expected 2. ${EXAMPLE}`,
  });
});

Deno.test("score() checks values by level", async () => {
  const score = () => new Float64Array(2);
  const flat = await setOf({ score, scoreLevels: () => [Float64Array.of(0, 0, 0), Float64Array.of(0)] });
  await assert.rejects(flat.score(group), /it returned 1 levels of completion 1, expected 3/);
  const infinite = await setOf({
    score,
    scoreLevels: () => [Float64Array.of(0, 0, 0), Float64Array.of(0, 0, Infinity)],
  });
  await assert.rejects(infinite.score(group), /value of completion 1 \(1 "Item 1"\) is Infinity/);
});

Deno.test("a user's file may export a function, of values now or later, or a whole reward", async () => {
  await withFiles({
    "plain.ts":
      "export default ({ completions }: { completions: unknown[] }) => completions.map((_, i) => i);",
    "later.ts":
      "export default async (group: any, context: any) => [context.dataset.items[group.example.targets[0]].title.length, 0];",
    "whole.ts":
      "export default { name: 'x', summary: '', create: () => ({ score: () => Float64Array.of(3, 4) }) };",
  }, async (path) => {
    const list = `${path("plain.ts")},${path("later.ts")}:0.5,${path("whole.ts")}`;
    const rewards = await createRewards(parseRewards(list.split(",")), exampleContext());
    assert.deepEqual([...(await rewards.score(group)).total], [6, 5]);
  });
});

Deno.test("a user's file that fails is an error with its name and the example", async () => {
  await withFiles({
    "throws.ts": "export default () => { throw new Error('boom'); };",
    "nan.ts": "export default () => [1, null];",
    "nothing.ts": "export default () => undefined;",
    "no_function.ts": "export default 3;",
    "broken.ts": "export default (group => ;",
  }, async (path) => {
    const scored = async (name: string) =>
      (await createRewards(parseRewards([path(name)]), exampleContext())).score(group);
    const rejects = async (name: string, message: string) => {
      const error = await scored(name).then(() => undefined, (error) => error);
      assert.equal(error?.name, "UserError", String(error));
      assert.ok(error.message.includes(path(name)) && error.message.includes(message), error.message);
    };
    await rejects("throws.ts", `it failed with: boom. ${EXAMPLE}`);
    await rejects("nan.ts", `completion 1 (1 "Item 1") is NaN, expected a finite number. ${EXAMPLE}`);
    await rejects("nothing.ts", "it returned undefined, expected 2 numbers");
    await rejects("no_function.ts", "its default export is 3, expected a function");
    await rejects("broken.ts", "Cannot load reward");
    await rejects("missing.ts", "Cannot load reward");
  });
});

async function withFiles(
  files: Record<string, string>,
  use: (path: (name: string) => string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
    await use((name) => join(folder, name));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
