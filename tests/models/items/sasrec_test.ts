import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { UserError } from "../../../base/user_error.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { ItemScores } from "../../../models/items/item_model.ts";
import { Sasrec, SasrecShape } from "../../../models/items/sasrec.ts";
import { loadGolden, readGolden, scoresOf, testGolden } from "./item_golden.ts";

const golden = await readGolden<SasrecShape>("sasrec.json");
const create = (device: Device, shape: SasrecShape) => new Sasrec(device, SasrecShape.parse(shape));

testGolden("Sasrec", golden, create);
testGolden("Sasrec of the references", await readGolden<SasrecShape>("sasrec_reference.json"), create, [
  "buffer",
]);

Deno.test("Sasrec of the references has as many numbers as theirs, without the row of their padding", async () => {
  const shape = SasrecShape.parse({
    model_type: "sasrec",
    num_items: 3686,
    max_length: 10,
    hidden_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    tie_word_embeddings: false,
    output_bias: true,
    block: "reference",
  });
  const device = await Device.open();
  const model = new Sasrec(device, shape);
  // MIMIGenRec tells 245,478 for Industrial.
  assert.equal(model.parameters.count + 32, 245_478);
  model.destroy();
  assert.throws(
    () => new Sasrec(device, { ...shape, tie_word_embeddings: true }),
    /Cannot give a bias to scores .* Use --no-tie-word-embeddings, or leave out --output-bias/,
  );
});

Deno.test("ItemScores gives the same bytes alone and among others, and reads the latest maxLength items", async () => {
  const device = await sharedDevice();
  const model = loadGolden(create(device, golden.shape), golden);
  const long = [5, 5, ...golden.histories[0]];
  // More tokens than one batch holds.
  const many = Array.from({ length: 1500 }, (_, i) => [long, ...golden.histories][i % 4]);
  const lists = await scoresOf(model, many);
  const [alone] = await scoresOf(model, [golden.histories[0]]);
  assert.equal(lists.length, many.length);
  assert.deepEqual(lists[0], alone);
  assert.deepEqual(lists[1497], alone);
  assert.notDeepEqual(lists[2], alone);
});

Deno.test("ItemScores deals batches to ranks, which have together what one has", async () => {
  const model = loadGolden(create(await sharedDevice(), golden.shape), golden);
  const many = Array.from({ length: 600 }, (_, i) => golden.histories[i % golden.histories.length]);
  const scores = new ItemScores(model);
  const dealt = await Promise.all(
    [0, 1].map((rank) => Array.fromAsync(scores.dealt(many, { rank, size: 2 }))),
  );
  // 256 histories a batch.
  assert.deepEqual(dealt.map((batches) => batches.map(({ first }) => first)), [[0, 512], [256]]);
  const all = dealt.flat().sort((a, b) => a.first - b.first).flatMap(({ lists }) => lists);
  assert.deepEqual(all, await scoresOf(model, many));
  scores.destroy();
});

Deno.test("ItemScores refuses empty histories and items that the model does not have", async () => {
  const device = await sharedDevice();
  const model = loadGolden(create(device, golden.shape), golden);
  await device.settle();
  await assert.rejects(
    scoresOf(model, [[]]),
    new UserError("Cannot score items for an empty history: expected at least one item"),
  );
  await assert.rejects(
    scoresOf(model, [[1, 13]]),
    new UserError("Cannot score items for a history with item 13: the model has the items 0 to 12"),
  );
});

Deno.test("Sasrec refuses heads that kernels cannot compute", async () => {
  const device = await sharedDevice();
  assert.throws(
    () => new Sasrec(device, { ...golden.shape, num_attention_heads: 3 }),
    /heads would be 2.66\d* wide, expected a multiple of 4/,
  );
});
