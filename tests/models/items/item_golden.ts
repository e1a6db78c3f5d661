// Compares a model over item numbers with golden numbers: scores, both losses and their gradients.
import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { packBatch } from "../../../data/packing/batches.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
import {
  createOccurrences,
  ItemBatchBuffer,
  type ItemModel,
  ItemScores,
  writeOccurrences,
} from "../../../models/items/item_model.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";
import { sampledLoss } from "../../../models/losses/sampled_loss.ts";
import { vocabularyLoss } from "../../../models/losses/vocabulary_loss.ts";

/** What the scripts beside the golden files write. */
export interface ItemGolden<S> {
  shape: S;
  histories: number[][];
  negatives: number[][];
  weights: Record<string, number[]>;
  scores: number[][];
  losses: Record<"softmax" | "bce", { loss: number; gradients: Record<string, number[]> }>;
}

/** Reads a file of tests/golden/. */
export async function readGolden<S>(name: string): Promise<ItemGolden<S>> {
  return JSON.parse(await Deno.readTextFile(new URL(`../../golden/baselines/${name}`, import.meta.url)));
}

/** Fills a model with the golden weights. */
export function loadGolden<M extends ItemModel, S>(model: M, golden: ItemGolden<S>): M {
  const tensors: TensorMap = new Map(
    model.parameters.specs.flatMap(partsOf).map(({ name, shape }) => [
      name,
      { shape: [...shape], data: Float32Array.from(golden.weights[name]) },
    ]),
  );
  model.parameters.load(tensors, "golden weights");
  return model;
}

/** Scores of all items for each history. */
export async function scoresOf(model: ItemModel, histories: number[][]): Promise<Float32Array[]> {
  const scores = new ItemScores(model);
  const lists = await Array.fromAsync(scores.of(histories));
  scores.destroy();
  return lists;
}

/** Declares a test for each of `layouts`; `create` makes the model of the golden shape, its weights 0. */
export function testGolden<S>(
  name: string,
  golden: ItemGolden<S>,
  create: (device: Device, shape: S) => ItemModel,
  layouts: readonly Layout[] = ["texture", "buffer"],
): void {
  for (const layout of layouts) {
    Deno.test(`${name} scores, losses and gradients equal the formulas of its source, ${layout} layout`, async () => {
      const device = await sharedDevice(layout);
      const model = loadGolden(create(device, golden.shape), golden);
      for (const [i, scores] of (await scoresOf(model, golden.histories)).entries()) {
        assertClose(scores, golden.scores[i], 2e-5, `scores of history ${i}`);
      }
      for (const kind of ["softmax", "bce"] as const) {
        const { loss, gradients } = await lossOf(model, golden, kind);
        assertClose([loss], [golden.losses[kind].loss], 1e-5, kind);
        for (const [name, expected] of Object.entries(golden.losses[kind].gradients)) {
          assertClose(gradients.get(name)!.data, expected, 5e-5, `${kind} gradient of ${name}`);
        }
      }
    });
  }
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
async function lossOf<S>(model: ItemModel, golden: ItemGolden<S>, loss: "softmax" | "bce") {
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
