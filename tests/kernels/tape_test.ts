import assert from "node:assert/strict";
import { ownDevice } from "../shared_device.ts";
import { add, scale } from "../../kernels/elementwise/add.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";

function sum(tape: Tape, x: Matrix, y: Matrix): Matrix {
  const result = add(tape.device, x, y);
  tape.record(() => {
    const gradient = tape.gradient(result);
    if (!gradient) return;
    tape.accumulate(x, gradient);
    tape.accumulate(y, gradient);
  });
  return result;
}

function times(tape: Tape, x: Matrix, factor: number): Matrix {
  const result = scale(tape.device, x, factor);
  tape.record(() => {
    const gradient = tape.gradient(result);
    if (gradient) tape.accumulate(x, scale(tape.device, gradient, factor));
  });
  return result;
}

Deno.test("Tape adds up the gradients of an operand that is used several times", async () => {
  const device = await ownDevice();
  const x = device.upload(new Float32Array([1, 2, 3, 4]), 1, 4);
  const seed = device.upload(new Float32Array([1, 1, 1, 1]), 1, 4);
  await device.scope(async () => {
    const tape = new Tape(device, true);
    // y = 3x + (x + 3x) * 2 = 11x
    let taken: Matrix | undefined;
    tape.record(() => taken = tape.gradient(x));
    const tripled = times(tape, x, 3);
    const y = sum(tape, tripled, times(tape, sum(tape, x, tripled), 2));
    tape.record(() => tape.accumulate(y, seed));
    tape.backward();
    const [gradient] = await device.read(taken!);
    assert.deepEqual([...gradient], [11, 11, 11, 11]);
  });
});

Deno.test("Tape records nothing in inference", async () => {
  const device = await ownDevice();
  const tape = new Tape(device, false);
  tape.record(() => assert.fail("ran"));
  tape.backward();
});

Deno.test("Tape gives gradients back to the pool while it runs: depth does not cost memory", async () => {
  const device = await ownDevice();
  const x = device.upload(new Float32Array(64), 8, 8);
  const seed = device.upload(new Float32Array(64), 8, 8);
  const allocations = (depth: number) => {
    const before = device.counters.allocations;
    device.scope(() => {
      const tape = new Tape(device, true);
      let y = x;
      for (let i = 0; i < depth; i++) y = times(tape, y, 2);
      tape.record(() => tape.accumulate(y, seed));
      tape.backward();
    });
    return device.counters.allocations - before;
  };
  // Forward results live until the scope ends; of gradients, two at a time.
  assert.equal(allocations(10), 10 + 2);
  assert.equal(allocations(20), 10);
  await device.settle();
});

/** y = ((2x + x) * 2) + x, as a block of a checkpoint: several uses of an input, several matrices in between. */
function block(tape: Tape, x: Matrix): Matrix {
  return sum(tape, times(tape, sum(tape, times(tape, x, 2), x), 2), x);
}

Deno.test("Tape.checkpoint() gives the gradients of the same work without it, nested or not", async () => {
  const device = await ownDevice();
  const x = device.upload(new Float32Array([1, 2, 3, 4]), 1, 4);
  const seed = device.upload(new Float32Array([1, -1, 0.5, 2]), 1, 4);
  const gradient = (work: (tape: Tape) => Matrix) =>
    device.scope(async () => {
      const tape = new Tape(device, true);
      let taken: Matrix | undefined;
      tape.record(() => taken = tape.gradient(x));
      const y = work(tape);
      tape.record(() => tape.accumulate(y, seed));
      tape.backward();
      const [values, dx] = await device.read(y, taken!);
      return [[...values], [...dx]];
    });
  const plain = await gradient((tape) => block(tape, block(tape, x)));
  assert.deepEqual(plain, [[49, 98, 147, 196], [49, -49, 24.5, 98]]);
  const once = (tape: Tape, input: Matrix, work: (x: Matrix) => Matrix) =>
    tape.checkpoint([input], () => [work(input)])[0];
  const inner = (tape: Tape) => once(tape, once(tape, x, (x) => block(tape, x)), (x) => block(tape, x));
  assert.deepEqual(await gradient(inner), plain);
  assert.deepEqual(await gradient((tape) => once(tape, x, () => inner(tape))), plain);
});

Deno.test("Tape.checkpoint() keeps the results alone, and what it computes again goes back to the pool", async () => {
  const device = await ownDevice();
  const x = device.upload(new Float32Array(64), 8, 8);
  const seed = device.upload(new Float32Array(64), 8, 8);
  const step = (depth: number) => {
    const { allocations, bindGroups } = device.counters;
    device.scope(() => {
      const tape = new Tape(device, true);
      let y = x;
      for (let i = 0; i < depth; i++) {
        const input = y;
        [y] = tape.checkpoint([input], () => [block(tape, input)]);
      }
      tape.record(() => tape.accumulate(y, seed));
      tape.backward();
    });
    return [device.counters.allocations - allocations, device.counters.bindGroups - bindGroups];
  };
  step(10);
  // Ten blocks more have ten results more; without checkpoints they would have forty matrices more.
  assert.equal(step(20)[0], 10);
  step(20);
  assert.deepEqual(step(20), [0, 0]);
  await device.settle();
});

Deno.test("Tape.checkpoint() refuses work that gives a gradient to what is not an input", async () => {
  const device = await ownDevice();
  const x = device.upload(new Float32Array(4), 1, 4);
  device.scope(() => {
    const tape = new Tape(device, true);
    const other = times(tape, x, 2);
    const [y] = tape.checkpoint([x], () => [sum(tape, x, other)]);
    tape.record(() => tape.accumulate(y, x));
    assert.throws(() => tape.backward(), /a matrix \(1, 4\) that is not an input/);
  });
  await device.settle();
});
