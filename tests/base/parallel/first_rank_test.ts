import assert from "node:assert/strict";
import { byFirst, ofFirst } from "../../../base/parallel/first_rank.ts";
import { ALONE } from "../../../base/parallel/world.ts";
import { worldsOf } from "./in_process.ts";

const never = new AbortController().signal;
const pause = (milliseconds: number) => new Promise((resume) => setTimeout(resume, milliseconds));

Deno.test("all ranks take what the first one finds", async () => {
  const found = worldsOf(3).map((world) => ofFirst(world, { isThere: world.rank > 0 }));
  assert.deepEqual(await Promise.all(found), Array(3).fill({ isThere: false }));
});

Deno.test("the first rank works longer than a beat while the others wait for it", async () => {
  const done: number[] = [];
  const work = async (rank: number) => {
    await pause(700);
    done.push(rank);
  };
  const ends = worldsOf(2).map((world) => byFirst(world, never, () => work(world.rank)));
  assert.deepEqual(await Promise.all(ends), [true, true]);
  assert.deepEqual(done, [0]);
  assert.equal(await byFirst(ALONE, never, () => work(0)), true);
});

Deno.test("another rank's signal stops the work of the first one, in all ranks", async () => {
  const told = new AbortController();
  const work = async (signal: AbortSignal) => {
    while (true) {
      signal.throwIfAborted();
      await pause(20);
    }
  };
  const ends = worldsOf(2).map((world) => byFirst(world, world.rank === 1 ? told.signal : never, work));
  told.abort();
  assert.deepEqual(await Promise.all(ends), [false, false]);
});

Deno.test("what the work throws is thrown in the first rank", async () => {
  const fail = () => Promise.reject(new RangeError("no more"));
  await assert.rejects(byFirst(worldsOf(2)[0], never, fail), new RangeError("no more"));
});
