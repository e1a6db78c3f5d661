import assert from "node:assert/strict";
import { DeviceMemory } from "../../../kernels/gpu/memory.ts";

Deno.test("what was given back can be used again, by siblings too, and work knows when it keeps too much", () => {
  const together = new DeviceMemory();
  const [first, second] = [new DeviceMemory(together), new DeviceMemory(together)];
  first.add("textures", 300);
  first.add("textures", -200);
  second.add("buffers", 50);
  assert.deepEqual([first.held, first.peak, first.reusable], [100, 300, 200]);
  // 150 of the 300 that were held are held now.
  assert.deepEqual([together.held, together.peak, together.reusable], [150, 300, 150]);

  assert.equal(first.isBeyond, false);
  first.keptLimit = 99;
  assert.equal(first.isBeyond, true);
});
