import assert from "node:assert/strict";
import { joinPieces } from "../../../base/files/pieces.ts";
import type { Optimizer } from "../../../models/optimizer/optimizer.ts";
import type { QuantizerEvaluation } from "../../../sid/quantizer/evaluation.ts";
import { progressFiles, readProgress } from "../../../sid/quantizer/kept_state.ts";

Deno.test("progressFiles() hands over one tensor at a time, the weights of an epoch once, and readProgress() has them back", async () => {
  const weights = (value: number) =>
    new Map([
      ["encoder", { shape: [10, 10], data: new Float32Array(100).fill(value) }],
      ["codebook", { shape: [3], data: Float32Array.of(value, 1, 2) }],
    ]);
  const keptAt = (epoch: number) => {
    const evaluation: QuantizerEvaluation = {
      epoch,
      loss: 1,
      reconstruction: 0.5,
      collisionRate: 0,
      gini: 0,
      usage: [1],
    };
    return { evaluation, tensors: weights(epoch) };
  };
  const late = keptAt(7);
  const best = { collision: late, loss: late, gini: keptAt(4) };
  /** Two arrays, the first in two parts. */
  const optimizer = {
    readState: () =>
      Promise.resolve({
        shapes: [{ name: "values", shape: [4] }, { name: "moments", shape: [2] }],
        parts: (async function* () {
          yield await Promise.resolve({ name: "values", from: 0, data: Float32Array.of(1, 2, 3) });
          yield { name: "values", from: 3, data: Float32Array.of(4) };
          yield { name: "moments", data: Float32Array.of(5, 6) };
        })(),
      }),
  } as unknown as Optimizer;
  const progress = {
    state: { step: 70, best: null, seconds: 3, validationDue: false },
    epochs: 7,
    revived: 2,
    paths: undefined,
    hooks: [[1]],
  };
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for await (const { name, bytes } of progressFiles({ ...progress, best, optimizer })) {
    if (!("pieces" in bytes)) {
      files.set(name, bytes);
      continue;
    }
    const pieces = await Array.fromAsync(bytes.pieces);
    const largest = Math.max(...pieces.slice(1).map(({ bytes }) => bytes.length)); // the first is the header
    assert.equal(largest, name.startsWith("epoch") ? 400 : 12, name);
    const again = (async function* () {
      yield* await Promise.resolve(pieces);
    })();
    files.set(name, await joinPieces({ size: bytes.size, pieces: again }));
  }
  assert.deepEqual([...files.keys()].sort(), [
    "epoch-4.safetensors",
    "epoch-7.safetensors",
    "optimizer.safetensors",
    "state.json",
  ]);
  const found = await readProgress("kept", (path) => Promise.resolve(files.get(path.replace("kept/", ""))!));
  assert.deepEqual(found, {
    ...progress,
    best,
    optimizer: { values: Float32Array.of(1, 2, 3, 4), moments: Float32Array.of(5, 6) },
  });
  assert.equal(found.best.loss.tensors, found.best.collision.tensors, "read once");
});
