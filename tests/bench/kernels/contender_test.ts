import assert from "node:assert/strict";
import { costPerRun } from "../../../bench/kernels/contender.ts";

/** A clock that only `run` moves: `fixed` milliseconds a wait, `each` a run. */
function machine(fixed: number, each: number) {
  let time = 0;
  let runs = 0;
  return {
    now: () => time,
    run(times: number) {
      time += fixed + each * times;
      runs += times;
      return Promise.resolve();
    },
    runs: () => runs,
  };
}

Deno.test("costPerRun() leaves out the fixed cost of a wait", async () => {
  const { run, now } = machine(11, 3);
  // The processor works twice as long as the clock says: two threads.
  const cost = await costPerRun(run, { budget: 100, now, worked: () => 2 * now() });
  assert.ok(Math.abs(cost.milliseconds - 3) < 1e-9);
  assert.ok(Math.abs(cost.processorMilliseconds - 6) < 1e-9);
});

Deno.test("costPerRun() repeats a run until the budget is used", async () => {
  const { run, now, runs } = machine(11, 3);
  await costPerRun(run, { budget: 100, now });
  // 1 + 1 + 1 + 4 to find the rate, then 34 + 1: 34 runs of 3 ms are the first to reach 100 ms.
  assert.equal(runs(), 42);
});

Deno.test("costPerRun() takes a run of more than a second as it is", async () => {
  const { run, now, runs } = machine(11, 2000);
  assert.equal((await costPerRun(run, { budget: 100, now })).milliseconds, 2011);
  assert.equal(runs(), 1);
});
