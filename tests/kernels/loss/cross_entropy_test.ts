import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import {
  crossEntropyBackward,
  crossEntropyChunk,
  crossEntropyRows,
} from "../../../kernels/loss/cross_entropy.ts";

/** Loss and gradient of rows of three logits, in one chunk of two columns and one of one. */
async function run(logits: number[][], targets: number[], weights: number[], smoothing = 0) {
  const device = await sharedDevice();
  const rows = logits.length;
  const flats = {
    targets: device.createFlat("u32", Uint32Array.from(targets)),
    weights: device.createFlat("f32", Float32Array.from(weights)),
    stats: device.createFlat("f32", rows * 4),
    rowLoss: device.createFlat("f32", rows),
  };
  return await device.scope(async () => {
    const left = device.upload(Float32Array.from(logits.flatMap((row) => row.slice(0, 2))), rows, 2);
    const right = device.upload(Float32Array.from(logits.flatMap((row) => row.slice(2))), rows, 1);
    crossEntropyChunk(device, left, flats.targets, flats.stats, { start: 0, first: true });
    crossEntropyChunk(device, right, flats.targets, flats.stats, { start: 2, first: false });
    crossEntropyRows(device, flats.stats, flats.weights, flats.rowLoss, { rows, vocabulary: 3, smoothing });
    const gradients = [[left, 0], [right, 2]] as const;
    const [loss, dLeft, dRight] = await device.read(
      flats.rowLoss,
      ...gradients.map(([chunk, start]) =>
        crossEntropyBackward(device, chunk, flats.targets, flats.weights, flats.stats, {
          start,
          vocabulary: 3,
          smoothing,
        })
      ),
    );
    return {
      loss: [...loss],
      gradient: logits.map((_, row) => [...dLeft.slice(2 * row, 2 * row + 2), dRight[row]]),
    };
  });
}

function assertClose(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) < 1e-6, `${actual}, expected ${expected}`)
  );
}

Deno.test("cross-entropy of equal logits is log 3 times the weight, and pulls the target by two thirds", async () => {
  const { loss, gradient } = await run([[5, 5, 5], [5, 5, 5]], [2, 0], [1, 0.5]);
  assertClose(loss, [Math.log(3), Math.log(3) / 2]);
  assertClose(gradient[0], [1 / 3, 1 / 3, -2 / 3]);
  assertClose(gradient[1], [-1 / 3, 1 / 6, 1 / 6]);
});

Deno.test("label smoothing of 0.3 on logits log 1, log 2, log 5 adds 0.1 of each log probability", async () => {
  const { loss, gradient } = await run([[0, Math.log(2), Math.log(5)]], [2], [1], 0.3);
  const [a, b, c] = [1 / 8, 2 / 8, 5 / 8];
  assertClose(loss, [-(0.1 * Math.log(a) + 0.1 * Math.log(b) + 0.8 * Math.log(c))]);
  assertClose(gradient[0], [a - 0.1, b - 0.1, c - 0.8]);
});

Deno.test("rows of weight 0 give exactly 0, whatever their logits and targets", async () => {
  const { loss, gradient } = await run([[3e38, -3e38, 3e38], [0, 0, 0]], [0xffffffff, 1], [0, 1], 0.1);
  assert.deepEqual([loss[0], ...gradient[0]], [0, 0, 0, 0]);
  assertClose(loss.slice(1), [Math.log(3)]);
});

Deno.test("cross-entropy stays finite and exact for logits of 10,000 and -10,000", async () => {
  const { loss, gradient } = await run([[1e4, -1e4, 0], [1e4, -1e4, 0]], [0, 1], [1, 1]);
  assert.deepEqual(loss, [0, 20000]);
  assert.deepEqual(gradient, [[0, 0, 0], [1, -1, 0]]);
});
