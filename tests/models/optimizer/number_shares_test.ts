import assert from "node:assert/strict";
import { NumberShares } from "../../../models/optimizer/number_shares.ts";
import { worldsOf } from "../../base/parallel/in_process.ts";
import { sharedDevice } from "../../shared_device.ts";

const LENGTHS = [1000, 130];
const whole = Float32Array.from({ length: 1130 }, (_, i) => i + 1);

for (const size of [2, 3]) {
  Deno.test(`${size} ranks have a share of each block, and put arrays together from them`, async () => {
    const device = await sharedDevice();
    // Blocks of 384 numbers: three of the first flat, one of the second.
    const ranks = worldsOf(size).map((world) => new NumberShares(device, world, LENGTHS, 400));
    const owners = new Map<string, number>();
    for (const { own } of ranks) {
      for (const { segment, at, length } of own) {
        for (let i = at; i < at + length; i++) {
          owners.set(`${segment} ${i}`, (owners.get(`${segment} ${i}`) ?? 0) + 1);
        }
      }
    }
    assert.equal(owners.size, whole.length);
    assert.ok([...owners.values()].every((count) => count === 1), "each number is of one rank");
    const most = Math.max(...ranks.map(({ own }) => own.reduce((sum, { length }) => sum + length, 0)));
    assert.ok(most < whole.length / size + 2 * 64 * 4, `a rank has ${most}`);

    const held = await Promise.all(ranks.map(async (shards) => {
      const own = shards.create();
      await shards.write(own, (from, length) => Promise.resolve(whole.subarray(from, from + length)));
      return own;
    }));
    const read = await Promise.all(ranks.map(async (shards, rank) => {
      const parts = await Array.fromAsync(shards.read(held[rank]));
      assert.deepEqual(parts.map(({ from }) => from), [0, 384, 768, 1000]);
      return parts.flatMap(({ data }) => [...data]);
    }));
    for (const all of read) assert.deepEqual(all, [...whole]);

    const flats = ranks.map(({ own }) => {
      const arrays = LENGTHS.map((length) => new Float32Array(length));
      for (const { segment, at, length } of own) arrays[segment].fill(segment + 1, at, at + length);
      return arrays.map((values) => device.createFlat("f32", values));
    });
    await Promise.all(ranks.map((shards, rank) => shards.gather(flats[rank])));
    for (const [first, second] of flats) {
      const [a, b] = await device.read(first, second);
      assert.ok(a.every((value) => value === 1) && b.every((value) => value === 2));
    }
    for (const flat of [...held, ...flats].flat()) device.destroy(flat);
  });
}
