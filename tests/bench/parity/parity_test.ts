// A cut of a real language model beside transformers, PEFT and PyTorch. bench/parity/parity.ts makes it, and what they answer.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Cases, MODES } from "../../../bench/parity/cases.ts";
import { differenceOf, largest, readGolden, unchangedTensors } from "../../../bench/parity/compare.ts";
import { openModel, ourAnswers, ourVectors, trainedLosses } from "../../../bench/parity/ours.ts";
import { sharedDevice } from "../../shared_device.ts";

const folder = Deno.env.get("GENREC_LANGUAGE_MODEL") ?? "../shared/models/smollm2-cut";
const isThere = await Deno.stat(join(folder, "golden.json")).then(() => true, () => false);
const missing =
  `skipped: ${folder} has no cut of a language model. Make one with bench/parity/parity.ts --layers 2 --trim ` +
  "--work DIR, and name DIR in GENREC_LANGUAGE_MODEL";

Deno.test("a cut of a real language model answers as in transformers, and is saved as it was", async () => {
  if (!isThere) return console.log(missing);
  const device = await sharedDevice();
  const cases: Cases = JSON.parse(await Deno.readTextFile(join(folder, "cases.json")));
  const golden = await readGolden(folder);
  const start = await openModel(device, join(folder, "start"));
  const found = differenceOf(await ourAnswers(device, start, cases), golden);
  start.destroy();
  const { prompts, answers } = cases.sizes;
  assert.equal(golden.logits.length, prompts);
  assert.ok(found.logits < 1e-3, `logits are ${found.logits} apart`);
  assert.deepEqual(found.greedy, [answers, answers]);
  assert.deepEqual(found.beams, [answers, answers]);
  assert.ok(found.scores < 1e-3, `scores are ${found.scores} apart`);
  const vectors = await ourVectors(device, join(folder, "start"), cases);
  assert.equal(vectors.length, cases.texts.length);
  const apart = largest(vectors, golden.vectors);
  assert.ok(apart < 1e-3, `vectors of items are ${apart} apart`);
  const [same, all] = await unchangedTensors(device, join(folder, "start"));
  assert.ok(same === all && all > 10, `${same} of ${all} tensors`);
});

for (const mode of MODES) {
  Deno.test(`training a cut of a real language model has the losses of PyTorch: ${mode}`, async () => {
    if (!isThere) return console.log(missing);
    const cases: Cases = JSON.parse(await Deno.readTextFile(join(folder, "cases.json")));
    const expected = (await readGolden(folder)).training[mode]!.losses;
    const losses = await trainedLosses(await sharedDevice(), folder, cases, mode);
    assert.equal(losses.length, cases.sizes.steps);
    assert.ok(largest([losses], [expected]) < 1e-3, `${losses}, expected ${expected}`);
    assert.ok(losses[0] !== losses.at(-1));
  });
}

Deno.test("differences are told: of numbers the largest, of lists how many are the same", () => {
  const answers = (logit: number, token: number) => ({
    logits: [[1, logit], [0, 0]],
    greedy: [[1, 2], [token]],
    beams: [{ tokens: [[1], [token]], scores: [-1, -logit] }],
  });
  assert.deepEqual(differenceOf(answers(2, 5), answers(2.5, 7)), {
    logits: 0.5,
    greedy: [1, 2],
    beams: [0, 1],
    scores: 0.5,
  });
  assert.equal(largest([[1, NaN]], [[1, 2]]), Infinity);
  assert.equal(largest([[1]], [[1], [2]]), Infinity);
});
