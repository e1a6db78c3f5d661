import assert from "node:assert/strict";
import { BeamSearch } from "../../decode/beam_search.ts";
import { BeamWidths } from "../../decode/beam_widths.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Layout } from "../../kernels/gpu/tensor.ts";
import { TOKEN_NORMALISATIONS } from "../../kernels/trie/log_softmax.ts";
import { buildTrie } from "../../sid/trie.ts";
import { sharedDevice } from "../shared_device.ts";
import { FakeModel } from "./fake_model.ts";

const BEAMS = 30;
const VOCABULARY = 26;

Deno.test("BeamWidths: all beams run until enough prompts were seen, then the most that one of them needed", () => {
  const widths = new BeamWidths(50, 3);
  for (let i = 0; i < 31; i++) widths.learn(10, [20 + i, 9, 0]);
  assert.deepEqual(widths.of(10), [50, 50, 50]);
  widths.learn(10, [3, 3, 3]);
  assert.deepEqual(widths.of(10), [50, 12, 4]);
  assert.deepEqual(widths.of(5), [50, 50, 50], "another number of answers is learned by itself");
  for (let i = 0; i < 256; i++) widths.learn(10, [1, 2, 5]);
  assert.deepEqual(widths.of(10), [4, 4, 8], "old prompts are forgotten");
});

/** Every SID of 3 tokens, those of the third level ending in one of two more where the sum is even. */
function catalogue(): number[][] {
  const levels = [0, 1, 2].map((level) => Array.from({ length: 6 }, (_, code) => 3 + 7 * level + code));
  return levels[0].flatMap((a) => levels[1].flatMap((b) => levels[2].map((c) => [a, b, c])))
    .flatMap((sid) => (sid[0] + sid[1] + sid[2]) % 2 === 0 ? [[...sid, 24], [...sid, 25]] : [sid]);
}

/** Rows of each step that `model` takes from now on. */
function recordSteps(model: FakeModel): number[] {
  const steps: number[] = [];
  const start = model.start.bind(model);
  model.start = (...request) => {
    const session = start(...request);
    const step: typeof session.step = (tokens, parents) => {
      steps.push(tokens.length);
      return session.step(tokens, parents);
    };
    return { ...session, step };
  };
  return steps;
}

for (const layout of ["texture", "buffer"] as Layout[]) {
  for (const normalisation of TOKEN_NORMALISATIONS) {
    Deno.test(`fewer beams run, and answers are those of all beams, ${normalisation}, ${layout}`, async () => {
      const device = await sharedDevice(layout);
      const model = FakeModel.random(device, VOCABULARY, 5);
      const steps = recordSteps(model);
      const trie = new DeviceTrie(device, buildTrie(catalogue()));
      const options = { beams: BEAMS, normalisation };
      const search = new BeamSearch(device, model, trie, options);
      const prompts = Array.from(
        { length: 60 },
        (_, i) => Uint32Array.of(i % 26, (7 * i) % 23, (5 * i) % 26),
      );

      // One prompt many times: what it needs is learned, and is less than what others need.
      const same = await search.run(Array.from({ length: 40 }, () => prompts[1]), 3);
      const learned = steps.splice(0);
      assert.deepEqual(learned, [40 * BEAMS, 40 * BEAMS, 40 * BEAMS]);
      const [again] = await search.run([prompts[1]], 3);
      const narrow = steps.splice(0);
      assert.deepEqual(again.leaves, same[0].leaves);
      assert.ok(narrow.every((rows) => rows < BEAMS) && narrow.at(-1)! < 10, `${narrow}`);

      const results = await search.run(prompts, 3);
      const rows = steps.splice(0);
      assert.ok(rows.length > 3 && rows[3] > 0, "prompts that needed more are searched again");
      assert.ok(rows.slice(0, 3).every((rows, step) => rows === 60 * narrow[step]), `${rows}`);
      for (const [i, prompt] of prompts.entries()) {
        const fresh = new BeamSearch(device, model, trie, options);
        const [whole] = await fresh.run([prompt]);
        fresh.destroy();
        assert.deepEqual(results[i].leaves, whole.leaves.slice(0, 3), `prompt ${i}`);
        results[i].scores.forEach((score, at) => assert.ok(Math.abs(score - whole.scores[at]) < 1e-5));
        assert.equal(whole.leaves.length, BEAMS);
      }
      search.destroy();
      trie.destroy();
    });
  }
}
