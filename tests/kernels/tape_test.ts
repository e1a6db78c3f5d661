import assert from "node:assert/strict";
import { add, scale } from "../../kernels/add.ts";
import { Device } from "../../kernels/device.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/tensor.ts";

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
  const device = await Device.open();
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
  const device = await Device.open();
  const tape = new Tape(device, false);
  tape.record(() => assert.fail("ran"));
  tape.backward();
});

Deno.test("Tape gives gradients back to the pool while it runs: depth does not cost memory", async () => {
  const device = await Device.open();
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
