import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { ALONE, type World } from "../../../base/parallel/world.ts";
import { worldsOf } from "../../base/parallel/in_process.ts";
import { dealStep } from "../../../train/ranks/dealt_step.ts";
import { LossLog } from "../../../train/run/loss_log.ts";
import type { MicroBatch } from "../../../train/run/packed_data.ts";

const ROWS = 6;

/** Rows of (task, weight); what is left of the six is unused. */
function batch(...rows: [task: number, weight: number][]): MicroBatch {
  const labels = new Uint32Array(ROWS).fill(2);
  const targetWeights = new Float32Array(ROWS);
  rows.forEach(([task, weight], row) => {
    labels[row] = task;
    targetWeights[row] = weight;
  });
  const weightSum = rows.reduce((sum, [, weight]) => sum + weight, 0);
  return {
    labels,
    packed: { targetWeights, counts: { targets: rows.length, weightSum } },
  } as unknown as MicroBatch;
}

const SIZE = { steps: 4, rows: ROWS, microBatches: 2 };

/** Logs a step whose rows of each micro batch lost `losses`; rows are weighted and divided as in training. */
async function step(
  device: Device,
  log: LossLog,
  row: number,
  micro: MicroBatch[],
  losses: number[][],
  world: World = ALONE,
): Promise<void> {
  const dealt = await dealStep(world, {
    count: micro.length,
    make: (from, end) => micro.slice(from, end),
    tasks: 2,
    isStopped: false,
  });
  log.begin(row, dealt);
  dealt.micro.forEach((one, i) => {
    const { targetWeights } = one.packed;
    const rowLoss = device.createFlat("f32", ROWS);
    device.write(
      rowLoss,
      Float32Array.from(
        targetWeights,
        (weight, at) => weight * (losses[dealt.first + i][at] ?? 0) / dealt.weightSum,
      ),
    );
    log.prepare(one, dealt.first + i);
    log.record(rowLoss);
    device.submit();
    device.destroy(rowLoss);
  });
}

const first: [MicroBatch[], number[][]] = [[batch([0, 1], [1, 1]), batch([1, 2])], [[1, 2], [4]]];
const second: [MicroBatch[], number[][]] = [[batch([0, 1], [0, 3])], [[2, 6]]];

Deno.test("LossLog tells the mean over steps, and each task's over its own weights", async () => {
  const device = await Device.open();
  const log = new LossLog(device, ["a", "b"], SIZE);
  await step(device, log, 0, ...first);
  await step(device, log, 1, ...second);
  const [sums] = await device.read(log.sums);
  const { loss, byTask, firstBad } = await log.summary(sums, 2);
  // (1 + 2 + 2 * 4) / 4 and (2 + 3 * 6) / 4; a has shares 1/4 and 1, b 3/4 of the first step.
  assert.ok(Math.abs(loss - (11 / 4 + 20 / 4) / 2) < 1e-6, `${loss}`);
  assert.ok(Math.abs(byTask.a - (1 / 4 + 5) / (1 / 4 + 1)) < 1e-6, `${byTask.a}`);
  assert.ok(Math.abs(byTask.b - (10 / 4) / (3 / 4)) < 1e-6, `${byTask.b}`);
  assert.equal(firstBad, undefined);

  // The log begins anew: what was summed does not count again, and a task without rows is not told.
  await step(device, log, 0, ...second);
  const next = await log.summary((await device.read(log.sums))[0], 1);
  assert.ok(Math.abs(next.loss - 5) < 1e-6, `${next.loss}`);
  assert.deepEqual(Object.keys(next.byTask), ["a"]);
  log.destroy();
});

Deno.test("LossLog restored in another process tells the same", async () => {
  const device = await sharedDevice();
  const whole = new LossLog(device, ["a", "b"], SIZE);
  await step(device, whole, 0, ...first);
  const pending = JSON.parse(JSON.stringify(await whole.pending(1)));
  await step(device, whole, 1, ...second);
  const expected = await whole.summary((await device.read(whole.sums))[0], 2);

  const restored = new LossLog(device, ["a", "b"], SIZE);
  restored.restore(pending);
  await step(device, restored, 1, ...second);
  assert.deepEqual(await restored.summary((await device.read(restored.sums))[0], 2), expected);
});

Deno.test("LossLog names the first step that is not finite", async () => {
  const device = await sharedDevice();
  const log = new LossLog(device, ["a", "b"], SIZE);
  await step(device, log, 0, ...first);
  await step(device, log, 1, second[0], [[NaN, 1]]);
  await step(device, log, 2, second[0], [[1, Infinity]]);
  assert.equal((await log.summary((await device.read(log.sums))[0], 3)).firstBad, 1);
});

Deno.test("LossLog of two ranks tells what one rank tells, also what is pending", async () => {
  const device = await sharedDevice();
  const told = async (world: World) => {
    const log = new LossLog(device, ["a", "b"], SIZE, world);
    await step(device, log, 0, ...first, world);
    log.restore(JSON.parse(JSON.stringify(await log.pending(1))));
    await step(device, log, 1, ...second, world);
    return await log.summary((await device.read(log.sums))[0], 2);
  };
  const alone = await told(ALONE);
  assert.deepEqual(await Promise.all(worldsOf(2).map(told)), [alone, alone]);
});
