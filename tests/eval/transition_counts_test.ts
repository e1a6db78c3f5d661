import { deepStrictEqual } from "node:assert/strict";
import {
  type CountedSample,
  countHeld,
  PurchaseCounter,
  type SampleCounter,
  TransitionCounter,
  type TransitionOptions,
} from "../../eval/transition_counts.ts";
import { countInParts } from "../../train/baselines/counting.ts";
import { syntheticDataset } from "../../data/synthetic/shop.ts";

const train: CountedSample[] = [
  { user: 7, history: [0], target: 1 },
  { user: 7, history: [0, 1], target: 2 },
  { user: 9, history: [3], target: 1 },
  { user: 9, history: [3, 1, 1], target: 1 },
];

Deno.test("TransitionCounter counts 1 / distance by row, columns ascending", () => {
  const { bought, offsets, targets, weights } = countHeld(train, new TransitionCounter(5));
  // 0 -> 1: 1, 0 -> 2: 1/2; 1 -> 1: 1 + 1/2, 1 -> 2: 1; 3 -> 1: 1 + 1/3.
  deepStrictEqual([...offsets], [0, 2, 4, 4, 6 - 1, 5]);
  deepStrictEqual([...targets], [1, 2, 1, 2, 1]);
  deepStrictEqual([...weights], [1, 0.5, 1.5, 1, Math.fround(1 + 1 / 3)]);
  deepStrictEqual([...bought], [1, 3, 1, 1, 0]);
});

Deno.test("TransitionCounter counts the latest item alone, and transitions back", () => {
  const first = countHeld(train, new TransitionCounter(5, { firstOrder: true }));
  deepStrictEqual([[...first.offsets], [...first.targets], [...first.weights]], [
    [0, 1, 3, 3, 4, 4],
    [1, 1, 2, 1],
    [1, 1, 1, 1],
  ]);
  const back = countHeld(train.slice(0, 2), new TransitionCounter(5, { backwards: 0.5 }));
  // 0 -> 1: 1, 0 -> 2: 1/2; 1 -> 0: 1/2, 1 -> 2: 1; 2 -> 0: 1/4, 2 -> 1: 1/2.
  deepStrictEqual([[...back.targets], [...back.weights]], [[1, 2, 0, 2, 0, 1], [1, 0.5, 0.5, 1, 0.25, 0.5]]);
});

Deno.test("the largest entries of a row are kept in their order, of equal ones those of the lowest items", () => {
  const samples = [4, 2, 3, 2, 1].map((target) => ({ user: 0, history: [0], target }));
  for (const pairs of [1, 100]) {
    // Twice 2, once 1, 3 and 4.
    const kept = (largest: number) => countHeld(samples, new TransitionCounter(5, { largest }, pairs));
    deepStrictEqual([[...kept(2).targets], [...kept(2).weights]], [[1, 2], [1, 2]]);
    deepStrictEqual([[...kept(1).targets], [...kept(1).offsets]], [[2], [0, 1, 1, 1, 1, 1]]);
    deepStrictEqual([...kept(4).targets], [1, 2, 3, 4]);
  }
});

Deno.test("counts are the same however few pairs are held at a time and however samples are cut", async () => {
  const { items, samples } = syntheticDataset({ seed: 1, items: 60, users: 80 });
  const options: TransitionOptions = { backwards: 0.5 };
  const whole = countHeld(samples.train, new TransitionCounter(items.length, options));
  const cut = async function* () {
    for (let at = 0; at < samples.train.length; at += 7) {
      yield await Promise.resolve(samples.train.slice(at, at + 7));
    }
  };
  const counted = async <T>(counter: SampleCounter<T>) => (await countInParts(cut, counter)).result;
  const few = countHeld(samples.train, new TransitionCounter(items.length, { ...options, largest: 3 }));
  for (const pairs of [1, 100, 1e6]) {
    deepStrictEqual(
      await counted(new TransitionCounter(items.length, { ...options, largest: 3 }, pairs)),
      few,
    );
    deepStrictEqual(await counted(new TransitionCounter(items.length, options, pairs)), whole);
  }
  deepStrictEqual(await counted(new PurchaseCounter(items.length)), whole.bought);
  deepStrictEqual([...countHeld([], new TransitionCounter(3)).offsets], [0, 0, 0, 0]);
});

Deno.test("TransitionCounter counts histories of more items than 16 bits number", () => {
  const history = [1, ...new Array<number>(2 ** 15 - 1).fill(0), 0];
  const { targets, weights } = countHeld([{ user: 0, history, target: 2 }], new TransitionCounter(3));
  let sum = 0;
  for (let distance = 1; distance <= 2 ** 15; distance++) sum += 1 / distance;
  deepStrictEqual([[...targets], [...weights]], [[2, 2], [sum, 1 / (2 ** 15 + 1)].map(Math.fround)]);
});

Deno.test("PurchaseCounter counts the first history of each user, named or numbered", () => {
  const users = [3, 5000, "3", "5000", 4999, 0];
  const rows = [...users, ...users].map((user) => ({ user, history: [0], target: 1 }));
  deepStrictEqual([...countHeld(rows, new PurchaseCounter(2))], [6, 12]);
});
