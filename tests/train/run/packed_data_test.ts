import assert from "node:assert/strict";
import type { SequenceSource } from "../../../data/packing/sequence_source.ts";
import { shuffledOrder } from "../../../base/shuffle.ts";
import { PackedData } from "../../../train/run/packed_data.ts";
import fc from "../../property.ts";

/** Sequence i has `sizes[i]` tokens i, all but the first with a target of weight 0.5 or 1, and task i mod 3. */
function sourceOf(sizes: readonly number[]): SequenceSource {
  return {
    count: sizes.length,
    tasks: ["a", "b", "c"],
    taskOf: (i) => i % 3,
    make: (i) => ({
      tokens: new Uint32Array(sizes[i]).fill(i),
      targets: Array.from(
        { length: sizes[i] - 1 },
        (_, at) => ({ at: at + 1, token: i, weight: 1 - i % 2 / 2 }),
      ),
    }),
    order: (epoch, seed) => shuffledOrder(sizes.length, seed, epoch),
  };
}

const packing = { tokensPerBatch: 64, gradientAccumulationSteps: 1, batchSize: 0 };
const sequences = fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 1, maxLength: 40 });

Deno.test("PackedData with a batch size takes just as many sequences a step, the last one what is left", () => {
  fc.assert(fc.property(sequences, fc.integer({ min: 1, max: 12 }), (sizes, batchSize) => {
    const data = new PackedData(sourceOf(sizes), { ...packing, batchSize }, 3);
    const steps = Array.from({ length: data.steps(1) }, (_, step) => data.microBatches(1, step));
    const counts = steps.map((micro) => micro.reduce((sum, { members }) => sum + members.length, 0));
    const rest = sizes.length % batchSize;
    const whole = Math.floor(sizes.length / batchSize);
    assert.deepEqual(counts, [...Array(whole).fill(batchSize), ...rest ? [rest] : []]);
    // Which ones a step has is the order of the epoch, whatever the micro batches are.
    const order = [...shuffledOrder(sizes.length, 3, 1)];
    steps.forEach((micro, step) => {
      const members = micro.flatMap(({ members }) => members).sort((a, b) => a - b);
      const due = order.slice(step * batchSize, (step + 1) * batchSize).sort((a, b) => a - b);
      assert.deepEqual(members, due);
    });
  }));
});

Deno.test("PackedData without a batch size accumulates micro batches and leaves no sequence out", () => {
  fc.assert(fc.property(sequences, fc.integer({ min: 1, max: 4 }), (sizes, gradientAccumulationSteps) => {
    const data = new PackedData(sourceOf(sizes), { ...packing, gradientAccumulationSteps }, 5);
    const steps = Array.from({ length: data.steps(0) }, (_, step) => data.microBatches(0, step));
    const members = steps.flat().flatMap(({ members }) => members);
    assert.deepEqual([...members].sort((a, b) => a - b), sizes.map((_, i) => i));
    assert.ok(steps.slice(0, -1).every((micro) => micro.length === gradientAccumulationSteps));
    assert.ok(steps.at(-1)!.length <= gradientAccumulationSteps);
  }));
});

Deno.test("PackedData's micro batches of a step have the weights and tasks of its sequences", () => {
  const sizes = [20, 33, 40, 7, 25];
  const source = sourceOf(sizes);
  const data = new PackedData(source, { ...packing, batchSize: 5 }, 1);
  const micro = data.microBatches(0, 0);
  assert.ok(micro.length > 1);
  const weightSum = micro.reduce((sum, { packed }) => sum + packed.counts.weightSum, 0);
  assert.equal(weightSum, 19 + 32 / 2 + 39 + 6 / 2 + 24);
  for (const { packed, labels } of micro) {
    for (let row = 0; row < data.capacity.rows; row++) {
      const used = row < packed.counts.targets;
      assert.equal(labels[row], used ? source.taskOf(packed.targetTokens[row]) : 3);
    }
  }
  assert.deepEqual(data.epoch, { sequences: 5, tokens: 125, targets: 120 });
  assert.equal(data.longest, 40);
});

Deno.test("PackedData refuses a sequence that no micro batch holds when the first plan is made", () => {
  const data = new PackedData(sourceOf([5, 65]), packing, 1);
  assert.throws(() => data.steps(0), /65 tokens .*64 tokens/);
});

Deno.test("PackedData refuses an epoch that the weights of the tasks leave empty", () => {
  const source = { ...sourceOf([5, 6]), order: () => new Uint32Array() };
  assert.throws(() => new PackedData(source, packing, 1), /weights of a, b, c leave none of 2\. Raise them/);
});
