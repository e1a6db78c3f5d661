import assert from "node:assert/strict";
import { beamSearch } from "../../../../decode/beam_search.ts";
import { DeviceTrie } from "../../../../decode/device_trie.ts";
import { Tape } from "../../../../kernels/tape.ts";
import type { TokenNormalisation } from "../../../../kernels/trie/log_softmax.ts";
import type { EncoderDecoder } from "../../../../models/encoder_decoder/encoder_decoder.ts";
import { Optimizer } from "../../../../models/optimizer/optimizer.ts";
import { createPolicyScratch, destroyPolicyScratch } from "../../../../models/losses/policy_gradient.ts";
import { buildTrie } from "../../../../sid/trie.ts";
import { policyObjective } from "../../../../train/rl/objectives/objective.ts";
import { objectiveMethod } from "../../../../train/rl/objectives/by_name.ts";
import { pairPacking } from "../../../../train/rl/policy/pair_batch.ts";
import type { PolicyGroup } from "../../../../train/rl/policy/batch.ts";
import { PolicyUpdate, type UpdateStatistics } from "../../../../train/rl/policy/update.ts";
import { sharedDevice } from "../../../shared_device.ts";
import { loadT5 } from "../../../models/encoder_decoder/t5_golden.ts";

/** Codewords of each level. */
const CODES = [[0, 0, 0], [0, 0, 3], [0, 6, 1], [2, 1, 1], [4, 6, 3], [4, 5, 0], [3, 3]];
const DEPTH = 3;

/** A golden model and SIDs in its token ids: one table a level, or one for all. */
async function openModel(family: "codes" | "t5") {
  const device = await sharedDevice();
  const model = loadT5(device, family);
  const starts = family === "codes" ? model.heads.map(({ start }) => start) : [1, 4, 6];
  const sids = CODES.map((codes) => Uint32Array.from(codes, (code, level) => starts[level] + code));
  const host = buildTrie(sids);
  const trie = new DeviceTrie(device, host);
  const groupOf = (prompt: number[], items: number[]): PolicyGroup => {
    const completions = items.map((item) => sids[item]);
    return {
      prompt: Uint32Array.from(prompt),
      completions,
      nodes: completions.map((tokens) => tokens.map((_, place) => host.walk(tokens.subarray(0, place))!)),
      advantages: completions.map(({ length }, i) => Array(length).fill(i - 0.7)),
      weights: completions.map(({ length }) => 1 / (5 * length)),
      supervised: completions.map((_, i) => i === 0 ? 0.1 : 0),
    };
  };
  const [a, b, c] = family === "codes" ? starts : [1, 2, 3];
  const groups = [groupOf([a, b, c, a + 1, b + 1, c + 1], [0, 6, 1, 4]), groupOf([a + 2, b, c], [3, 5])];
  const close = () => {
    trie.destroy();
    model.destroy();
  };
  return { device, model, trie, groups, close };
}

for (const family of ["codes", "t5"] as const) {
  for (const normalisation of ["vocab", "children"] as TokenNormalisation[]) {
    Deno.test(`packed pairs give answers the probabilities that a search gives them: ${family}, ${normalisation}`, async () => {
      const { device, model, trie, groups, close } = await openModel(family);
      const prompts = groups.map(({ prompt }) => prompt);
      const searched = await beamSearch(device, model, trie, prompts, { beams: 99, normalisation });
      // More room than needed: padding must not show.
      const capacity = pairPacking.capacityOf(DEPTH, { tokensPerBatch: 40, prompts: 3, answers: 4 });
      const batch = pairPacking.open(model, capacity);
      const scratch = createPolicyScratch(device, batch.capacity.rows, batch.capacity.actions);
      const { counts, upload } = batch.pack(groups);
      assert.deepEqual(counts, { completions: 6, rows: 17 });
      upload();
      const tokens = { start: trie.minToken, end: trie.maxToken + 1 };
      device.scope(() =>
        batch.logProbs(new Tape(device, false), model, scratch, { normalisation, trie, tokens })
      );
      const [bits, logProbs] = await device.read(batch.flats.completions, scratch.logProbs);
      const actions = new Uint32Array(bits.buffer, bits.byteOffset, bits.length);
      let pair = 0;
      for (const [g, { completions }] of groups.entries()) {
        for (const sid of completions) {
          const places = [...actions.subarray(pair * DEPTH, ++pair * DEPTH)];
          assert.ok(places.slice(sid.length).every((action) => action === 0xffffffff));
          const found = places.slice(0, sid.length).reduce((sum, action) => sum + logProbs[action], 0);
          const { leaves, scores } = searched[g];
          const expected = scores[leaves.indexOf(trie.host.walk(sid)!)];
          assert.ok(Math.abs(found - expected) < 1e-4, `group ${g}: ${found}, expected ${expected}`);
        }
      }
      batch.destroy();
      destroyPolicyScratch(device, scratch);
      close();
    });
  }
}

const BETA = 0.05, ENTROPY = 0.2;

/** An update whose learning rate is 0, of `policy` against a reference with other weights: its loss and its gradient. */
async function updateOf(policy: EncoderDecoder, tokensPerBatch: number, normalisation: TokenNormalisation) {
  const { device, trie, groups, model: reference, close } = await openModel("codes");
  const values = await reference.parameters.read();
  reference.parameters.write(values.map((value, i) => value + 0.002 * Math.sin(i)));
  const settings = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, maxGradNorm: 0, emaDecay: 0 };
  const optimizer = new Optimizer(policy.parameters, settings);
  const method = objectiveMethod("etegrec");
  const objective = policyObjective(method, BETA, DEPTH);
  const update = new PolicyUpdate({
    device,
    policy,
    optimizer,
    reference: { use: (compute) => compute(reference) },
    trie,
    packing: pairPacking,
    capacity: pairPacking.capacityOf(DEPTH, { tokensPerBatch, prompts: 2, answers: 4 }),
  }, {
    objective,
    ratioAgainst: method.ratioAgainst,
    normalisation,
    numIterations: 1,
    entropyCoefficient: ENTROPY,
    dropout: 0,
    seed: 1,
  });
  const statistics = await (await update.run(0, groups, 0))();
  const [gradients] = await device.read(policy.parameters.gradients);
  const { policyLoss, klLoss, supervisedLoss, entropy, rows } = statistics;
  const loss = policyLoss + objective.klCoefficient * klLoss + supervisedLoss - ENTROPY * entropy / rows;
  update.destroy();
  optimizer.destroy();
  close();
  return { statistics, gradients, loss };
}

for (const normalisation of ["vocab", "children"] as TokenNormalisation[]) {
  Deno.test(`PolicyUpdate of an encoder-decoder: gradients match central differences of its loss, ${normalisation}`, async () => {
    const { model, close } = await openModel("codes");
    const { parameters } = model;
    const { gradients, statistics } = await updateOf(model, 64, normalisation);
    // Ratios of answers, other than 1, between the bounds, where the loss has kinks.
    assert.ok(statistics.maxLogRatio > 1e-3 && statistics.maxLogRatio < 0.1, `${statistics.maxLogRatio}`);
    const values = await parameters.read();
    // Along the gradient the loss rises by its square.
    const square = gradients.reduce((sum, value) => sum + value * value, 0);
    const moved = async (by: number) => {
      parameters.write(values.map((value, i) => value + by * gradients[i]));
      return (await updateOf(model, 64, normalisation)).loss;
    };
    const h = 3e-3 / Math.sqrt(square);
    const rise = (await moved(h) - await moved(-h)) / (2 * h);
    assert.ok(Math.abs(rise / square - 1) < 5e-3, `rises by ${rise}, expected ${square}`);
    close();
  });
}

Deno.test("PolicyUpdate of an encoder-decoder says the same whatever the split into micro batches", async () => {
  const { model, close } = await openModel("codes");
  const whole = await updateOf(model, 64, "vocab");
  const split = await updateOf(model, 8, "vocab"); // a micro batch a group
  for (const key of Object.keys(whole.statistics) as (keyof UpdateStatistics)[]) {
    const [a, b] = [Number(whole.statistics[key]), Number(split.statistics[key])];
    assert.ok(Math.abs(a - b) < 1e-4, `${key}: ${a}, ${b}`);
  }
  const largest = whole.gradients.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  whole.gradients.forEach((value, i) => assert.ok(Math.abs(value - split.gradients[i]) < 1e-4 * largest));
  assert.equal(whole.statistics.rows, 17);
  close();
});
