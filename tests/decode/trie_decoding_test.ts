import assert from "node:assert/strict";
import { BeamSearch } from "../../decode/beam_search.ts";
import { ConstrainedSampler } from "../../decode/constrained_sampler.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { promptRows } from "../../models/decoder/decode.ts";
import { buildTrie } from "../../sid/trie.ts";
import { evenCutOf } from "../../decode/trie_decoding.ts";
import { FakeModel } from "./fake_model.ts";

const SIDS = [[1, 4, 7], [1, 5, 8], [2, 5, 7], [3, 4, 9], [3, 6, 8]].map((sid) => Uint32Array.from(sid));
// 15,000 tokens together, in the model's vocabulary of 10.
const LONG = Array.from(
  { length: 5 },
  (_, user) => Uint32Array.from({ length: 3000 }, (_, i) => (i * user) % 10),
);

async function withModel(
  work: (device: Device, model: FakeModel, sizes: number[], trie: DeviceTrie) => Promise<void>,
) {
  const device = await Device.open();
  const model = FakeModel.random(device, 10, 3);
  const sizes: number[] = [];
  const start = model.start.bind(model);
  model.start = (prompts, width, tokens) => {
    sizes.push(prompts.length);
    return start(prompts, width, tokens);
  };
  const trie = new DeviceTrie(device, buildTrie(SIDS));
  await work(device, model, sizes, trie);
  trie.destroy();
}

Deno.test("BeamSearch takes long prompts in halves, with the results of each alone", async () => {
  await withModel(async (device, model, sizes, trie) => {
    const search = new BeamSearch(device, model, trie, { beams: 3, normalisation: "vocab" });
    const together = await search.run(LONG);
    assert.deepEqual(sizes, [2, 1, 2]); // 5 -> 2 + 3, and 3 -> 1 + 2
    const alone = [];
    for (const prompt of LONG) alone.push(...await search.run([prompt]));
    assert.deepEqual(together.map(({ leaves }) => leaves), alone.map(({ leaves }) => leaves));
    search.destroy();
  });
});

Deno.test("ConstrainedSampler takes long prompts in halves, with the draws of each alone", async () => {
  await withModel(async (device, model, sizes, trie) => {
    const sampler = new ConstrainedSampler(device, model, trie, { samples: 4, replacement: true });
    const together = await sampler.run(LONG, { seed: 5, step: 2, firstPrompt: 7 });
    assert.deepEqual(sizes, [2, 1, 2]);
    const alone = [];
    for (const [i, prompt] of LONG.entries()) {
      alone.push(...await sampler.run([prompt], { seed: 5, step: 2, firstPrompt: 7 + i }));
    }
    assert.deepEqual(together.map(({ leaves }) => leaves), alone.map(({ leaves }) => leaves));
    sampler.destroy();
  });
});

Deno.test("batches of a search have no more rows than the model's widest matrix", async () => {
  await withModel(async (device, model, sizes, trie) => {
    const whole = new BeamSearch(device, model, trie, { beams: 3, normalisation: "vocab" });
    const prompts = LONG.map((prompt) => prompt.slice(0, 40));
    const together = await whole.run(prompts);
    assert.deepEqual(sizes.splice(0), [5]);
    model.mostTokens = 100;
    const search = new BeamSearch(device, model, trie, { beams: 3, normalisation: "vocab" });
    assert.equal(search.promptsPerBatch, 33);
    const parts = await search.run(prompts);
    assert.deepEqual(sizes, [2, 1, 2]);
    assert.deepEqual(parts.map(({ leaves }) => leaves), together.map(({ leaves }) => leaves));
    for (const one of [whole, search]) one.destroy();
  });
});

Deno.test("evenCutOf() leaves few sizes of batches", () => {
  const sizes = new Set<number>();
  for (let count = 1; count <= 64; count++) {
    for (let rest = count; rest > 0;) {
      const size = evenCutOf(rest) ?? rest;
      sizes.add(size);
      rest -= size;
    }
  }
  assert.deepEqual([...sizes].sort((a, b) => a - b).slice(0, 12), [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24]);
  assert.equal(sizes.size, 22);
});

Deno.test("promptRows() has few sizes, at most an eighth or 15 rows of which are idle", () => {
  const sizes = new Set<number>();
  for (let tokens = 1; tokens <= 8192; tokens++) {
    const rows = promptRows(tokens);
    assert.ok(rows >= tokens && rows - tokens <= Math.max(15, tokens / 8), `${tokens}: ${rows}`);
    sizes.add(rows);
  }
  assert.ok(sizes.size < 80, `${sizes.size}`);
});
