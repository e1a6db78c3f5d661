import assert from "node:assert/strict";
import { millisecondsPerRun } from "../../../bench/kernels/contender.ts";

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

Deno.test("millisecondsPerRun() leaves out the fixed cost of a wait", async () => {
  const { run, now } = machine(11, 3);
  assert.ok(Math.abs(await millisecondsPerRun(run, { budget: 100, now }) - 3) < 1e-9);
});

Deno.test("millisecondsPerRun() repeats a run until the budget is used", async () => {
  const { run, now, runs } = machine(11, 3);
  await millisecondsPerRun(run, { budget: 100, now });
  // 1 + 1 + 1 + 4 to find the rate, then 34 + 1: 34 runs of 3 ms are the first to reach 100 ms.
  assert.equal(runs(), 42);
});

Deno.test("millisecondsPerRun() takes a run of more than a second as it is", async () => {
  const { run, now, runs } = machine(11, 2000);
  assert.equal(await millisecondsPerRun(run, { budget: 100, now }), 2011);
  assert.equal(runs(), 1);
});
