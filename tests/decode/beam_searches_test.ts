import assert from "node:assert/strict";
import { BeamSearches } from "../../decode/beam_searches.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { FakeModel } from "./fake_model.ts";

const SIDS = [[1, 4, 7], [1, 5, 8], [2, 5, 7], [3, 4, 9]].map((sid) => Uint32Array.from(sid));

Deno.test("BeamSearches makes a search once for its beams and items, and keeps the last parts of the catalogue", async () => {
  const device = await Device.open();
  const searches = new BeamSearches(device, FakeModel.random(device, 10, 3), SIDS, {
    normalisation: "vocab",
  });
  const whole = searches.of(2);
  assert.equal(searches.of(2), whole);
  assert.notEqual(searches.of(3), whole);
  assert.equal(searches.of(3).trie, whole.trie);
  assert.equal(searches.trie, whole.trie);

  const part = searches.of(2, [0, 3]);
  assert.equal(searches.of(2, [0, 3]), part);
  const [{ leaves }] = await part.run([Uint32Array.of(0)]);
  const items = leaves.flatMap((leaf) => [...part.trie.host.itemsOf(leaf)]);
  assert.deepEqual(items.toSorted(), [0, 3]);
  assert.equal(searches.of(2), whole);
  // Eight are kept, those asked for last.
  const others = [[0], [1], [2], [3], [0, 1], [0, 2], [1, 2], [1, 3]];
  const second = searches.of(2, others[0]);
  for (const items of others.slice(1, 7)) searches.of(2, items);
  assert.equal(searches.of(2, [0, 3]), part);
  const { buffers } = device.memory;
  await searches.of(2, others[1]).run([Uint32Array.of(0)]);
  searches.of(2, others[7]);
  assert.notEqual(searches.of(2, others[0]), second);
  assert.equal(searches.of(2, [0, 3]), part);
  searches.destroy();
  assert.ok(device.memory.buffers < buffers, "parts were not freed");
});
