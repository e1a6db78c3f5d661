import assert from "node:assert/strict";
import { packBatch } from "../../data/batches.ts";
import { UserError } from "../../data/user_error.ts";
import { Device } from "../../kernels/device.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Layout } from "../../kernels/tensor.ts";
import { createOccurrences, ItemBatchBuffer, ItemScores, writeOccurrences } from "../../models/item_model.ts";
import type { TensorMap } from "../../models/parameters.ts";
import { sampledLoss } from "../../models/sampled_loss.ts";
import { Sasrec, SasrecShape } from "../../models/sasrec.ts";
import { vocabularyLoss } from "../../models/vocabulary_loss.ts";

interface Golden {
  shape: SasrecShape;
  histories: number[][];
  negatives: number[][];
  weights: Record<string, number[]>;
  scores: number[][];
  losses: Record<"softmax" | "bce", { loss: number; gradients: Record<string, number[]> }>;
}

const golden: Golden = JSON.parse(
  await Deno.readTextFile(new URL("../golden/sasrec.json", import.meta.url)),
);

function load(device: Device): Sasrec {
  const model = new Sasrec(device, SasrecShape.parse(golden.shape));
  const tensors: TensorMap = new Map(
    model.parameters.specs.map(({ name, rows, cols }) => [
      name,
      { shape: [rows, cols], data: Float32Array.from(golden.weights[name]) },
    ]),
  );
  model.parameters.load(tensors, "sasrec.json");
  return model;
}

async function scoresOf(model: Sasrec, histories: number[][]): Promise<Float32Array[]> {
  const scores = new ItemScores(model);
  const lists = await Array.fromAsync(scores.of(histories));
  scores.destroy();
  return lists;
}

function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
) {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    assert.ok(
      error <= tolerance * (1 + Math.abs(expected[i])),
      `${what} at ${i}: ${actual[i]}, not ${expected[i]}`,
    );
  }
}

/** Loss and gradients of all sequences in one packed batch with room to spare. */
async function lossOf(model: Sasrec, loss: "softmax" | "bce") {
  const { device, parameters, outputName } = model;
  const sequences = golden.histories.map((items) => ({
    tokens: Uint32Array.from(items.slice(0, -1)),
    targets: items.slice(1).map((token, at) => ({ at, token, weight: 1 })),
  }));
  const capacity = { tokens: 16, rows: 12 };
  const packed = packBatch(sequences, capacity);
  const buffer = new ItemBatchBuffer(device, capacity);
  buffer.write(packed, 1 / packed.counts.weightSum);
  const { targets, weights } = buffer.batch;
  const rowLoss = device.createFlat("f32", capacity.rows);
  const stats = device.createFlat("f32", 4 * capacity.rows);
  const candidates = new Uint32Array(2 * capacity.rows);
  candidates.set(packed.targetTokens);
  candidates.set(golden.negatives.flat(), capacity.rows);
  const occurrences = createOccurrences(device, candidates.length);
  writeOccurrences(device, occurrences, candidates, candidates.length);
  const items = device.createFlat("u32", candidates);
  parameters.clearGradients();
  device.scope(() => {
    const tape = new Tape(device, true);
    const states = model.states(tape, buffer.batch);
    const rows = { targets, weights, stats, rowLoss };
    if (loss === "bce") sampledLoss(tape, parameters, states, outputName, { items, occurrences }, rows);
    else vocabularyLoss(tape, parameters, states, outputName, rows, { labelSmoothing: 0 });
    tape.backward();
  });
  const [losses, gradients] = await device.read(rowLoss, parameters.gradients);
  return {
    loss: losses.reduce((sum, value) => sum + value, 0),
    gradients: parameters.toTensors(gradients),
  };
}

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`Sasrec scores, losses and gradients equal the paper's formulas, ${layout} layout`, async () => {
    const device = await Device.open({ layout });
    const model = load(device);
    for (const [i, scores] of (await scoresOf(model, golden.histories)).entries()) {
      assertClose(scores, golden.scores[i], 2e-5, `scores of history ${i}`);
    }
    for (const kind of ["softmax", "bce"] as const) {
      const { loss, gradients } = await lossOf(model, kind);
      assertClose([loss], [golden.losses[kind].loss], 1e-5, kind);
      for (const [name, expected] of Object.entries(golden.losses[kind].gradients)) {
        assertClose(gradients.get(name)!.data, expected, 5e-5, `${kind} gradient of ${name}`);
      }
    }
  });
}

Deno.test("ItemScores gives the same bytes alone and among others, and reads the latest maxLength items", async () => {
  const device = await Device.open();
  const model = load(device);
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

Deno.test("ItemScores refuses empty histories and items that the model does not have", async () => {
  const device = await Device.open();
  const model = load(device);
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
  const device = await Device.open();
  assert.throws(
    () => new Sasrec(device, { ...golden.shape, num_attention_heads: 3 }),
    /heads would be 2.66\d* wide, expected a multiple of 4/,
  );
});
