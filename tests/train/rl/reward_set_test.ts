import assert from "node:assert/strict";
import { join } from "node:path";
import { parseRewards, rewardMethod, REWARDS } from "../../../train/rl/rewards/by_name.ts";
import type { Reward, RewardContext } from "../../../train/rl/rewards/reward.ts";
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

Deno.test("rewards that are normalised by themselves are added up by their weights, whatever their size", async () => {
  const reward = (name: string, values: number[]) => ({
    method: { name, summary: "", create: () => ({ score: () => Float64Array.from(values) }) },
    weight: name === "small" ? 2 : 1,
  });
  const list = [reward("large", [1000, 0]), reward("small", [0, 0.01]), reward("alike", [5, 5])];
  const own = await createRewards(list, exampleContext(), "group");
  const { total, normalised } = await own.score(group);
  assert.deepEqual([...total], [1005, 5.02]);
  // Two values, the same distance from their mean: +- 1 / sqrt(2), but for the 1e-4 beside the spread.
  const [first, second] = normalised!;
  assert.ok(Math.abs(first - (1 - 2 * 0.986) / Math.SQRT2) < 1e-3, `${first}`);
  assert.equal(first, -second);
  assert.equal((await (await createRewards(list, exampleContext())).score(group)).normalised, undefined);
});

Deno.test("rewards that ask for a target are refused where nobody knows it", async () => {
  const open = exampleContext({ isOpen: true });
  const asking = REWARDS.filter(({ name }) => name !== "collaborative").map(({ name }) => name);
  for (const name of asking) {
    await assert.rejects(
      createRewards(parseRewards(["collaborative", name]), open),
      new RegExp(`Cannot reward by ${name} with --targets none`),
    );
  }
  const group = exampleGroup([2, 1], [], { history: [1] });
  const scoreIn = async (context: RewardContext) =>
    await (await createRewards(parseRewards(["collaborative"]), context)).score(group);
  const { total, hits, taught } = await scoreIn(open);
  assert.ok(total[0] > total[1], `${total}`);
  assert.deepEqual(hits, [false, false]);
  assert.deepEqual(taught?.map(({ item }) => item), [2, 1]);
  assert.equal(
    (await scoreIn(exampleContext())).taught,
    undefined,
    "targets are taught where they are known",
  );
});

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
    message: `Cannot use reward mine: it returned 1 values, expected 2: Float64Array(1) [ 0 ]. ${EXAMPLE}`,
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
    "nan.ts": "export default () => [1, NaN];",
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
    await rejects("throws.ts", `it failed with: boom, at ${path("throws.ts")}:1:30. ${EXAMPLE}`);
    await rejects("nan.ts", `completion 1 (1 "Item 1") is NaN, expected a finite number. ${EXAMPLE}`);
    await rejects("nothing.ts", "it returned undefined, expected 2 numbers");
    await rejects("no_function.ts", "its default export is 3, expected a function");
    await rejects("broken.ts", "Cannot load reward");
    await rejects("missing.ts", "Cannot load reward");
  });
});

Deno.test("score() shows what a user's file returned where it is no list of numbers; true is 1, false 0", async () => {
  const returned: [code: string, said: string | number[]][] = [
    ["[true, false]", [1, 0]],
    ["Float32Array.of(0.5, 2)", [0.5, 2]],
    ["[0.5, Promise.resolve(1)]", "is Promise { 1 }, expected a finite number: await Promise.all(…) of them"],
    ["[1, null]", "is null, expected a finite number: 0 where there is nothing to say"],
    ["[1, , ]", "is undefined, expected a finite number"],
    ["[1, '0']", 'is "0", expected a finite number: Number(…) makes one of it'],
    ["[1, 3n]", "is 3n, expected a finite number: Number(…)"],
    ["BigInt64Array.of(1n, 2n)", "is 1n, expected"],
    ["[1, [0]]", "is [ 0 ], expected a finite number"],
    ["[1, { score: 1 }]", "is { score: 1 }, expected a finite number"],
    ["[1, () => 1]", "is [Function (anonymous)], expected a finite number"],
    ["[1, Symbol('s')]", "is Symbol(s), expected a finite number"],
    ["[1, new Date(NaN)]", "is Invalid Date, expected a finite number"],
    ["[1, NaN]", "is NaN, expected a finite number"],
    ["[1, -Infinity]", "is -Infinity, expected a finite number"],
    ["[1, 1e300]", "is 1e+300, expected at most 1.8e+19 in size: the spread of larger ones is infinite"],
    ["[[1, 0]]", "it returned 1 values, expected 2: [ [ 1, 0 ] ]"],
    ["[1, 2, 3]", "it returned 3 values, expected 2: [ 1, 2, 3 ]"],
    ["'10'", 'it returned "10", expected 2 numbers, in a list'],
    ["null", "it returned null, expected 2 numbers"],
    ["new Set([0, 1])", "it returned Set(2) { 0, 1 }, expected 2 numbers"],
    ["new DataView(new ArrayBuffer(2))", "it returned DataView"],
    ["() => 1", "it returned [Function (anonymous)], expected 2 numbers"],
  ];
  const cases = `[${returned.map(([code]) => `() => (${code})`).join(",\n")}]`;
  await withFiles(
    {
      "cases.ts":
        `const cases: any[] = ${cases};\nexport default ({ example }: any) => cases[example.task]();`,
    },
    async (path) => {
      const rewards = await createRewards(parseRewards([path("cases.ts")]), exampleContext());
      for (const [task, [code, said]] of returned.entries()) {
        const asked = { ...group, example: { ...group.example, task } };
        const found = await rewards.score(asked).then(({ total }) => [...total], (error) => error);
        if (Array.isArray(said)) assert.deepEqual(found, said, code);
        else assert.ok(found.name === "UserError" && found.message.includes(said), `${code}: ${found}`);
      }
      rewards.close?.();
    },
  );
});

Deno.test("score() refuses sums that weights make too large", async () => {
  const method = { name: "mine", summary: "", create: () => ({ score: () => Float64Array.of(0, 1e10) }) };
  const rewards = await createRewards([{ method, weight: 1e10 }], exampleContext());
  await assert.rejects(
    rewards.score(group),
    /reward mine, weighted and added up: its value of completion 1 \(1 "Item 1"\) is 100000000000000000000, expected at most 1\.8e\+19/,
  );
});

Deno.test("a user's file that loops for ever, ends the program or fails later is named", async () => {
  await withFiles({
    "loops.ts": "export default () => { for (;;); };",
    "loops_at_once.ts": "for (;;); export default () => [];",
    "waits.ts": "export default () => new Promise(() => {});",
    "exits.ts": "export default () => { try { Deno.exit(3); } catch { return [1, 2]; } };",
    "exits_at_once.ts": "import { exit } from 'node:process'; exit(0); export default () => [];",
    "later.ts":
      "export default () => {\n  setTimeout(() => { throw new Error('late'); });\n  return new Promise(() => {});\n};",
    "rejects.ts":
      "export default () => { Promise.reject(new Error('lost')); return new Promise(() => {}); };",
    "posts.ts": "export default () => { self.postMessage(null); return [1, 2]; };",
    "closes.ts": "export default () => { self.close(); return [1, 2]; };",
    "imports.ts": "import { f } from './helper.ts';\nexport default () => f();",
    "helper.ts": "export const f = () => {\n  throw { code: 3 };\n};",
  }, async (path) => {
    const failure = async (name: string, timeout: number) => {
      let rewards: RewardSet | undefined;
      try {
        rewards = await createRewards(parseRewards([path(name)]), { ...exampleContext(), timeout });
        return String(await rewards.score(group));
      } catch (error) {
        assert.equal((error as Error).name, "UserError");
        return (error as Error).message;
      } finally {
        rewards?.close?.();
      }
    };
    const expected: [string, RegExp][] = [
      [
        "loops.ts",
        /loops\.ts: .*it has not answered for 5 s: an endless loop/,
      ],
      ["loops_at_once.ts", /Cannot load reward .*loops_at_once\.ts: it has not answered for 5 s/],
      ["waits.ts", /waits\.ts: .* has not answered for 5 s: .*--reward-timeout SECONDS/],
      ["exits.ts", /exits\.ts: it failed with: it called Deno\.exit\(3\), which would end the training/],
      [
        "exits_at_once.ts",
        /Cannot load reward .*exits_at_once\.ts: it (called Deno\.exit\(0\)|has not answered)/,
      ],
      ["later.ts", /failed with: late, at .*later\.ts:2:\d+\. The example/],
      ["rejects.ts", /failed with: lost, at .*rejects\.ts:1:39\. The example/],
      ["posts.ts", /failed with: a reward in a file has nobody to post messages to\./],
      ["closes.ts", /failed with: it called close\(\), which would end the training/],
      ["imports.ts", /failed with: \{ code: 3 \}\. The example/],
    ];
    await Promise.all(expected.map(async ([name, message]) => {
      // Loading takes a while on a busy machine.
      assert.match(await failure(name, /loops|waits/.test(name) ? 5 : 60), message);
    }));
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
