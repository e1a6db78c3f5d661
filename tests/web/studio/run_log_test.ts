import assert from "node:assert/strict";
import { RunLog } from "../../../web/studio/run_log.ts";
import { settingRows } from "../../../web/studio/settings_view.ts";
import { timeText } from "../../../web/studio/time_text.ts";

const LINES = [
  { step: 0, valid: { ndcg10: 0.1 } },
  { step: 10, epoch: 0.5, loss: 3, tokens: 4000, seconds: 2, rewards: { rule: { mean: 0.25, std: 1 } } },
  { step: 20, epoch: 1, loss: 2, tokens: 3000, seconds: 4 },
  { step: 20, valid: { ndcg10: 0.3, loss: null } },
];
const tail = (version: string, lines: Record<string, unknown>[], age = 1) => ({
  version,
  end: 100,
  lines,
  age,
});

Deno.test("the curves of a log are its numbers by step, and speeds between its lines", () => {
  const log = new RunLog();
  assert.equal(log.add(tail("a", LINES)), true);
  assert.equal(log.add(tail("a", [])), false);
  const curves = Object.fromEntries(log.curves());
  assert.deepEqual(curves.loss, { steps: [10, 20], values: [3, 2] });
  assert.deepEqual(curves["valid.ndcg10"], { steps: [0, 20], values: [0.1, 0.3] });
  assert.deepEqual(curves["rewards.rule.mean"], { steps: [10], values: [0.25] });
  assert.deepEqual(curves.tokensPerSecond, { steps: [10, 20], values: [2000, 1500] });
  assert.deepEqual(curves.stepsPerSecond, { steps: [10, 20], values: [5, 5] });
  assert.deepEqual(
    Object.keys(curves).filter((name) => /step$|epoch|seconds$|tokens$|valid\.loss/.test(name)),
    [],
  );
});

Deno.test("a log that was written anew is read anew", () => {
  const log = new RunLog();
  log.add(tail("a", LINES));
  log.add(tail("b", [{ step: 5, loss: 9, seconds: 1 }]));
  assert.deepEqual(log.curves().get("loss"), { steps: [5], values: [9] });
});

Deno.test("time left follows from the share of the steps or the epochs that is done", () => {
  const log = new RunLog();
  log.add(tail("a", LINES));
  assert.deepEqual(log.progress({ numTrainEpochs: 4, maxSteps: 0 }), {
    step: 20,
    epoch: 1,
    share: 0.25,
    seconds: 4,
    left: 12,
  });
  assert.equal(log.progress({ numTrainEpochs: 4, maxSteps: 40 }).left, 4);
  assert.equal(log.progress({ numTrainEpochs: 1 }).share, 1);
  assert.equal(log.progress({ epochs: 2 }).left, 4);
  assert.equal(log.progress({}).left, undefined);
  assert.equal(log.isLive, true);
  log.add(tail("a", [], 1000));
  assert.equal(log.isLive, false);
  assert.deepEqual([timeText(42), timeText(185), timeText(7620)], ["42 s", "3 min 5 s", "2 h 7 min"]);
});

Deno.test("settings are told apart by their values, not by their places", () => {
  const settings = [{ seed: 1, tasks: ["a"], dropout: 0.1 }, { seed: 2, tasks: ["a"] }];
  assert.deepEqual(settingRows(settings, false), [["seed", ["1", "2"]], ["dropout", ["0.1", undefined]]]);
  assert.deepEqual(settingRows(settings, true).map(([name]) => name), ["seed", "tasks", "dropout"]);
});
