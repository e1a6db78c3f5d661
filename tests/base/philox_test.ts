import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { philox4x32, PhiloxStream } from "../../base/philox.ts";

Deno.test("philox4x32() gives the known answers of Random123", () => {
  const ones = 0xffffffff;
  deepStrictEqual(philox4x32([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  deepStrictEqual(
    philox4x32([ones, ones, ones, ones], [ones, ones]),
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  );
  deepStrictEqual(
    philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

Deno.test("PhiloxStream repeats for the same name and differs for any other", () => {
  const first = (seed: number, purpose: string, index: number) => {
    const stream = new PhiloxStream(seed, purpose, index);
    return Array.from({ length: 6 }, () => stream.uint32()).join();
  };
  strictEqual(first(1, "a", 0), first(1, "a", 0));
  const names = [
    first(1, "a", 0),
    first(2, "a", 0),
    first(1, "b", 0),
    first(1, "a", 1),
    first(2 ** 32 + 1, "a", 0),
  ];
  strictEqual(new Set(names).size, names.length);
});

Deno.test("PhiloxStream draws integers of every value and normals of mean 0 and variance 1", () => {
  const stream = new PhiloxStream(7, "test");
  const counts = new Array(5).fill(0);
  for (let i = 0; i < 5000; i++) counts[stream.below(5)]++;
  for (const count of counts) ok(Math.abs(count - 1000) < 120, `${counts}`);
  const normals = Array.from({ length: 5000 }, () => stream.normal());
  const mean = normals.reduce((a, b) => a + b) / 5000;
  const variance = normals.reduce((a, b) => a + b * b, 0) / 5000;
  ok(Math.abs(mean) < 0.05 && Math.abs(variance - 1) < 0.08, `${mean} ${variance}`);
});

Deno.test("PhiloxStream refuses seeds that are no integer of 0 or more", () => {
  throws(() => new PhiloxStream(-1, "a"), /Cannot seed random numbers with -1/);
  throws(() => new PhiloxStream(0.5, "a"), RangeError);
  throws(() => new PhiloxStream(1, "a", 2 ** 32), /Cannot open random stream 4294967296/);
});
