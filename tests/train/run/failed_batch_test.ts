import assert from "node:assert/strict";
import type { SequenceSource } from "../../../data/packing/sequence_source.ts";
import { failedBatchFiles } from "../../../train/run/failed_batch.ts";
import { RunDirectory } from "../../../train/run/directory.ts";

const source: SequenceSource = {
  count: 3,
  tasks: ["next-item", "title"],
  taskOf: (i) => i % 2,
  make: (i) => ({
    tokens: Uint32Array.of(7, i),
    targets: [{ at: 1, token: 10 + i, weight: i === 2 ? Infinity : 0.5 }],
  }),
  order: () => Uint32Array.of(0, 1, 2),
};

Deno.test("failedBatchFiles() in a run directory shows every sequence of the step, its weights and its numbers", async () => {
  const path = await Deno.makeTempDir();
  const run = new RunDirectory(path);
  const failed = {
    step: 12,
    facts: { loss: NaN, learningRate: 0.1 },
    microBatches: [{ members: [2] }, { members: [1] }],
  };
  const folder = await run.saveFailedBatch(
    12,
    failedBatchFiles(failed, source, (tokens) => tokens.join(" ")),
  );
  assert.equal(folder, `${path}/failed-batch-12`);
  assert.deepEqual(JSON.parse(await run.read("failed-batch-12/step.json")), {
    step: 12,
    loss: "NaN",
    learningRate: 0.1,
    sequences: 2,
  });
  const lines = (await run.read("failed-batch-12/sequences.jsonl")).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.deepEqual(lines, [
    {
      microBatch: 0,
      sequence: 2,
      task: "next-item",
      text: "7 2",
      tokens: [7, 2],
      targets: [{ at: 1, token: 12, weight: "Infinity" }],
    },
    {
      microBatch: 1,
      sequence: 1,
      task: "title",
      text: "7 1",
      tokens: [7, 1],
      targets: [{ at: 1, token: 11, weight: 0.5 }],
    },
  ]);
  await Deno.remove(path, { recursive: true });
});
