import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { exactTime, unitOf } from "../../data/times.ts";

Deno.test("unitOf() takes the unit that puts most times between 1990 and 2100, and seconds for counters", () => {
  strictEqual(unitOf([1.6e9, 1.6e9, 0]), "seconds");
  strictEqual(unitOf([1.6e12, 1.6e12, 1.6e9]), "milliseconds");
  strictEqual(unitOf([1.6e15]), "microseconds");
  strictEqual(unitOf([1.6e18]), "nanoseconds");
  strictEqual(unitOf([1, 2, 3, 1.6e12]), "seconds");
  strictEqual(unitOf([]), "seconds");
});

Deno.test("exactTime() keeps digits that a double loses, and rounds seconds down", () => {
  deepStrictEqual(exactTime("1600000000000000003", "nanoseconds"), { seconds: 1600000000, nanoseconds: 3 });
  deepStrictEqual(exactTime("1600000000.123456789", "seconds"), {
    seconds: 1600000000,
    nanoseconds: 123456789,
  });
  deepStrictEqual(exactTime("1600000000500.25", "milliseconds"), {
    seconds: 1600000000,
    nanoseconds: 500250000,
  });
  deepStrictEqual(exactTime("-0.5", "seconds"), { seconds: -1, nanoseconds: 500000000 });
  deepStrictEqual(exactTime("1.6e9", "seconds"), { seconds: 1600000000, nanoseconds: 0 });
});
