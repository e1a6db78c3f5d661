import assert from "node:assert/strict";
import type { MicroBatch, PackedData } from "../../../train/run/packed_data.ts";
import { rlConfig } from "../../../train/rl/config.ts";
import { sftConfig } from "../../../train/sft/config.ts";
import { savesOf, StepPlan } from "../../../train/run/step_plan.ts";

/** Epochs of 3, 4, 3, 4 … steps; a micro batch names its epoch and step. */
const data = {
  steps: (epoch: number) => 3 + epoch % 2,
  mostMicroBatches: () => 1,
  microBatches: (epoch: number, step: number) => [{ members: [epoch, step] }] as unknown as MicroBatch[],
} as unknown as PackedData;

const plan = (options: Partial<ConstructorParameters<typeof StepPlan>[1]>) =>
  new StepPlan(data, {
    numTrainEpochs: 3,
    maxSteps: 0,
    loggingSteps: 3,
    evalSteps: 0,
    saveSteps: 0,
    ...options,
  });

Deno.test("StepPlan counts steps through epochs of different lengths", () => {
  assert.equal(plan({}).total, 10);
  assert.equal(plan({ maxSteps: 5 }).total, 5);
  assert.equal(plan({ maxSteps: 50 }).total, 10);
  const members = Array.from({ length: 10 }, (_, step) => plan({}).microBatches(step)[0].members.join());
  assert.deepEqual(members, ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2", "1,3", "2,0", "2,1", "2,2"]);
  assert.deepEqual([1, 3, 5, 7, 10].map((steps) => plan({}).epochAt(steps)), [1 / 3, 1, 1.5, 2, 3]);
});

Deno.test("StepPlan logs, evaluates and saves after each epoch, or every so many steps", () => {
  const due = (is: (steps: number) => boolean) => Array.from({ length: 10 }, (_, i) => i + 1).filter(is);
  const byEpoch = plan({});
  assert.deepEqual(due((steps) => byEpoch.isEvaluation(steps)), [3, 7, 10]);
  assert.deepEqual(due((steps) => byEpoch.isSave(steps)), [3, 7, 10]);
  const bySteps = plan({ evalSteps: 4 });
  assert.deepEqual(due((steps) => bySteps.isEvaluation(steps)), [4, 8]);
  assert.deepEqual(due((steps) => bySteps.isSave(steps)), [4, 8]);
  const saving = plan({ saveSteps: 5 });
  assert.deepEqual(due((steps) => saving.isEvaluation(steps)), [3, 7, 10]);
  assert.deepEqual(due((steps) => saving.isSave(steps)), [5, 10]);
  assert.deepEqual([byEpoch, bySteps, saving].map(savesOf), [3, 3, 2], "the last step is saved too");
  assert.deepEqual(due((steps) => saving.isLog(steps)), [3, 6, 9]);
  assert.deepEqual(due((steps) => saving.isOver(steps)), [10]);
});

Deno.test("StepPlan takes a share of all steps, as LlamaFactory's files have it, rounded up", () => {
  const due = (is: (steps: number) => boolean) => Array.from({ length: 10 }, (_, i) => i + 1).filter(is);
  const shares = plan({ evalSteps: 0.25, saveSteps: 0.5 });
  assert.deepEqual(due((steps) => shares.isEvaluation(steps)), [3, 6, 9]);
  assert.deepEqual(due((steps) => shares.isSave(steps)), [5, 10]);
  assert.deepEqual(due((steps) => plan({ evalSteps: 0.001 }).isEvaluation(steps)).length, 10);
  assert.equal(sftConfig({ evalSteps: 0.05, saveSteps: 20 }).evalSteps, 0.05);
  assert.throws(
    () => sftConfig({ evalSteps: 2.5 }),
    /evalSteps: expected whole steps, or a share of all of them/,
  );
  assert.throws(() => rlConfig({ evalSteps: 0 }), /evalSteps/);
});
