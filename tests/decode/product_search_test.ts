import assert from "node:assert/strict";
import { beamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { ProductSearch } from "../../decode/product_search.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { parseEncoderDecoderConfig } from "../../models/encoder_decoder/config.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import { buildTrie } from "../../sid/trie.ts";

const device = await Device.open();
const catalogue = [[0, 1], [2, 3, 0], [2, 3, 1]];
const sizes = [3, 4, 2];
const tokens = new CodeTokens(catalogue, { sizes, maxHistory: 5 });
const shape = { d_model: 8, d_kv: 4, d_ff: 8, num_layers: 1, num_heads: 2 };
const model = new EncoderDecoder(
  device,
  parseEncoderDecoderConfig({ model_type: "t5", vocab_size: 1, code_sizes: sizes, ...shape }),
);
model.initialize(4, 0.7);
const trie = new DeviceTrie(device, buildTrie(tokens.itemTokens));
const prompts = [[0, 1, 2], [1], []].map((history) => tokens.prompt(history));

Deno.test("ProductSearch writes all there is to write where beams reach: SIDs as BeamSearch, and what is none", async () => {
  // 12 pairs, one of which begins two SIDs.
  const lists = await new ProductSearch(device, model, trie, { beams: 13, sizes }).run(prompts);
  const constrained = await beamSearch(device, model, trie, prompts, { beams: 3, normalisation: "vocab" });
  for (const [prompt, { codes, scores }] of lists.entries()) {
    assert.equal(new Set(codes.map(String)).size, 13);
    const mass = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    assert.ok(Math.abs(mass - 1) < 1e-5, `mass ${mass}`);
    assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
    const { leaves, scores: expected } = constrained[prompt];
    leaves.forEach((leaf, i) => {
      const [item] = trie.host.itemsOf(leaf);
      const found = scores[codes.findIndex((written) => String(written) === String(catalogue[item]))];
      assert.ok(Math.abs(found - expected[i]) < 1e-4, `item ${item}: ${found}, expected ${expected[i]}`);
    });
  }
});

Deno.test("ProductSearch keeps the best beams of each step, prompts apart or together", async () => {
  const search = new ProductSearch(device, model, trie, { beams: 4, sizes });
  const together = await search.run(prompts);
  const [first] = await new ProductSearch(device, model, trie, { beams: 13, sizes }).run(prompts);
  for (const [i, prompt] of prompts.entries()) {
    const [{ codes, scores }] = await search.run([prompt]);
    assert.equal(codes.length, 4);
    assert.deepEqual(codes, together[i].codes);
    scores.forEach((score, beam) => assert.ok(Math.abs(score - together[i].scores[beam]) < 1e-5));
  }
  assert.deepEqual(together[0].codes[0], first.codes[0]);
});
