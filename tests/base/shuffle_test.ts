import { deepStrictEqual, notDeepStrictEqual } from "node:assert/strict";
import { shuffledOrder } from "../../base/shuffle.ts";
import fc from "../property.ts";

Deno.test("shuffledOrder() holds every number once", () => {
  fc.assert(fc.property(fc.nat(300), fc.nat(), fc.nat(50), (n, seed, epoch) => {
    deepStrictEqual([...shuffledOrder(n, seed, epoch)].sort((a, b) => a - b), [...Array(n).keys()]);
  }));
});

Deno.test("shuffledOrder() repeats for a seed and epoch and differs between epochs and seeds", () => {
  deepStrictEqual(shuffledOrder(50, 3, 4), shuffledOrder(50, 3, 4));
  notDeepStrictEqual(shuffledOrder(50, 3, 4), shuffledOrder(50, 3, 5));
  notDeepStrictEqual(shuffledOrder(50, 3, 4), shuffledOrder(50, 4, 4));
});

Deno.test("shuffledOrder() pins the order of 8 for seed 42, so that resumed runs of any version agree", () => {
  deepStrictEqual([...shuffledOrder(8, 42, 0)], [6, 2, 1, 7, 3, 0, 4, 5]);
});
