import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { listwiseSoftmax, listwiseSoftmaxBackward } from "../../../kernels/loss/listwise_softmax.ts";
import { NO_ROW } from "../../../kernels/rows/gather.ts";

async function run(scores: number[], offsets: number[], targets: number[], weights: number[]) {
  const device = await sharedDevice();
  const lists = {
    offsets: device.createFlat("u32", Uint32Array.from(offsets)),
    targets: device.createFlat("u32", Uint32Array.from(targets)),
    weights: device.createFlat("f32", Float32Array.from(weights)),
  };
  const listLoss = device.createFlat("f32", weights.length);
  return await device.scope(async () => {
    const column = device.upload(Float32Array.from(scores), scores.length, 1);
    listwiseSoftmax(device, column, lists, listLoss);
    const [loss, gradient] = await device.read(listLoss, listwiseSoftmaxBackward(device, column, lists));
    return { loss: [...loss], gradient: [...gradient] };
  });
}

function assertNear(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) < 1e-6, `${actual}, expected ${expected}`)
  );
}

Deno.test("three equal scores lose log 3 times the weight; log 1, log 2, log 5 lose the log of the share", async () => {
  const { loss, gradient } = await run(
    [4, 4, 4, 0, Math.log(2), Math.log(5), 7],
    [0, 3, 6, 7],
    [1, 5, 6],
    [0.5, 1, 1],
  );
  assertNear(loss, [Math.log(3) / 2, -Math.log(5 / 8), 0]); // a list of one has nothing to lose
  assertNear(gradient, [1 / 6, -1 / 3, 1 / 6, 1 / 8, 2 / 8, -3 / 8, 0]);
});

Deno.test("lists without their target, of weight 0 or empty, and rows of no list, give exactly 0", async () => {
  const { loss, gradient } = await run(
    [1, 2, 3, 4, 3e38, -3e38, 9],
    [0, 2, 2, 4, 6],
    [NO_ROW, 0, 1, 4], // row 1 is not of the third list
    [1, 1, 1, 0],
  );
  assert.deepEqual(loss, [0, 0, 0, 0]);
  assert.deepEqual(gradient, [0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("a list stays exact for scores of 10,000 and -10,000", async () => {
  const { loss, gradient } = await run([1e4, -1e4, 0], [0, 3], [1], [1]);
  assert.deepEqual(loss, [20000]);
  assert.deepEqual(gradient, [1, -1, 0]);
});
