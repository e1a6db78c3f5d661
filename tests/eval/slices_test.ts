import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Sample } from "../../data/dataset.ts";
import { boughtInTrain, SLICINGS } from "../../eval/slices.ts";
import fc from "../property.ts";

const sample = (history: number[], target: number): Sample => ({ user: "u", history, target });

function bucket(name: string, of: Sample, bought: number[] = []): string {
  return SLICINGS.find((slicing) => slicing.name === name)!.bucketOf(of, Float64Array.from(bought));
}

Deno.test("historyLength puts lengths between bounds into the bucket that names them", () => {
  const found = [0, 1, 2, 3, 5, 6, 10, 11, 20, 21, 99].map((length) =>
    bucket("historyLength", sample(new Array(length).fill(0), 1))
  );
  const expected = "0,1-2,1-2,3-5,3-5,6-10,6-10,11-20,11-20,over 20,over 20";
  strictEqual(found.join(), expected);
});

Deno.test("targetPopularity and coldTarget go by purchases of the target in train", () => {
  const bought = [0, 1, 5, 6, 100, 101];
  const of = (name: string) => bought.map((_, target) => bucket(name, sample([], target), bought)).join();
  strictEqual(of("targetPopularity"), "cold,1-5,1-5,6-20,21-100,over 100");
  strictEqual(of("coldTarget"), "cold,warm,warm,warm,warm,warm");
});

Deno.test("repeatedTarget is whether the target is in its own history", () => {
  strictEqual(bucket("repeatedTarget", sample([3, 1], 1)), "repeated");
  strictEqual(bucket("repeatedTarget", sample([3, 1], 2)), "new");
});

Deno.test("boughtInTrain() counts purchases once, and knows items of later histories", () => {
  const train = [sample([0], 1), sample([0, 1], 2), sample([1, 2, 4], 1)];
  deepStrictEqual([...boughtInTrain(train, 6)], [1, 2, 1, 0, 1, 0]);
});

Deno.test("each slicing names only buckets of its list", () => {
  const samples = fc.record({ history: fc.array(fc.nat(5), { maxLength: 30 }), target: fc.nat(5) });
  fc.assert(fc.property(samples, fc.array(fc.nat(300), { minLength: 6, maxLength: 6 }), (of, bought) => {
    for (const slicing of SLICINGS) {
      const found = slicing.bucketOf({ user: "u", ...of }, Float64Array.from(bought));
      strictEqual(slicing.buckets.includes(found), true, `${slicing.name} ${found}`);
    }
  }));
});
