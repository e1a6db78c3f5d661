import assert from "node:assert/strict";
import { Batcher, type BatchGroup, DeadlinePassed, QueueFull } from "../../../tasks/_serve/batcher.ts";

/** Doubles numbers, `limit` at once; 13 cannot be doubled. */
function doubling(limit: number) {
  const batches: number[][] = [];
  const group: BatchGroup<number, number> = {
    sizeOf: (waiting) => Promise.resolve(Math.min(limit, waiting)),
    async answer(questions) {
      batches.push([...questions]);
      await new Promise((resume) => setTimeout(resume, 1));
      if (questions.includes(13)) throw new Error("13");
      return questions.map((x) => 2 * x);
    },
  };
  return { group, batches };
}

const PATIENT = { within: 10_000 };

Deno.test("questions that wait at the same time are answered together, those of other groups by themselves", async () => {
  const batcher = new Batcher<number, number>({ maxWaiting: 10 });
  const a = doubling(3), b = doubling(3);
  const asked = [
    batcher.ask([1], a.group, PATIENT),
    batcher.ask([2, 3], b.group, PATIENT),
    batcher.ask([4], a.group, PATIENT),
    batcher.ask([5, 6, 7], a.group, PATIENT),
  ];
  assert.deepEqual(await Promise.all(asked), [[2], [4, 6], [8], [10, 12, 14]]);
  assert.deepEqual([a.batches, b.batches], [[[1, 4, 5], [6, 7]], [[2, 3]]]);
});

Deno.test("the next batch is on its way when one is computed and waited for when that is answered, and work between batches when all are answered", async () => {
  const batcher = new Batcher<string, string>({ maxWaiting: 10 });
  const events: string[] = [];
  const gates = new Map(["a", "b"].map((name) => [name, Promise.withResolvers<void>()]));
  const group: BatchGroup<string, string> = {
    sizeOf: () => Promise.resolve(1),
    async answer([name], wait) {
      events.push(`${name} is on its way`);
      await wait.begin?.();
      events.push(`${name} is waited for`);
      wait.onComputed?.();
      await gates.get(name)!.promise;
      events.push(`${name} is answered`);
      return [name];
    },
  };
  const asked = ["a", "b"].map((name) => batcher.ask([name], group, PATIENT));
  while (events.length < 3) await new Promise((resume) => setTimeout(resume, 1));
  const between = batcher.inTurn(() => Promise.resolve(void events.push("between")));
  gates.get("a")!.resolve();
  gates.get("b")!.resolve();
  assert.deepEqual(await Promise.all(asked), [["a"], ["b"]]);
  await between;
  assert.deepEqual(events, [
    "a is on its way",
    "a is waited for",
    "b is on its way",
    "a is answered",
    "b is waited for",
    "b is answered",
    "between",
  ]);
});

Deno.test("one that fails keeps no other from its answer", async () => {
  const batcher = new Batcher<number, number>({ maxWaiting: 10 });
  const { group } = doubling(8);
  const asked = [[1], [13], [2]].map((questions) => batcher.ask(questions, group, PATIENT));
  assert.deepEqual(
    (await Promise.allSettled(asked)).map((one) => one.status === "fulfilled" ? one.value : "no"),
    [
      [2],
      "no",
      [4],
    ],
  );
});

Deno.test("who finds no place, waits too long or hangs up is told so and answered by nobody", async () => {
  const batcher = new Batcher<number, number>({ maxWaiting: 2 });
  const { group, batches } = doubling(8);
  const gate = Promise.withResolvers<void>();
  const held = batcher.inTurn(() => gate.promise);
  const late = batcher.ask([1], group, { within: 5 });
  const hangUp = new AbortController();
  const gone = batcher.ask([2], group, { ...PATIENT, signal: hangUp.signal });
  await assert.rejects(() => batcher.ask([3], group, PATIENT), QueueFull);
  await assert.rejects(() => late, DeadlinePassed);
  hangUp.abort(new Error("hung up"));
  await assert.rejects(() => gone, /hung up/);
  assert.equal(batcher.waiting, 0);
  const answered = batcher.ask([4], group, PATIENT);
  gate.resolve();
  await held;
  assert.deepEqual([await answered, batches], [[8], [[4]]]);
});
