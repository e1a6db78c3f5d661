import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { RqVae } from "../../../models/quantizer/rq_vae.ts";
import { codeRows, latentsOf } from "../../../sid/quantizer/codes.ts";
import { encodeResidual } from "../../../sid/kmeans/residuals.ts";
import { plusShape, rqKmeansPlus, startCodebooks } from "../../../sid/methods/rq_kmeans_plus.ts";

function vectors(rows: number, dim: number) {
  const random = new PhiloxStream(3, "test embeddings");
  return { data: Float32Array.from({ length: rows * dim }, () => random.normal()), rows, dim };
}

const config = rqKmeansPlus.Config.parse({
  codebookSize: 16,
  normalize: "none",
  epochs: 30,
  evalEpochs: 10,
  warmupEpochs: 0,
  learningRate: 3e-3,
  keep: "loss",
});

for (const start of ["rqkmeans", "rqkmeans-constrained"] as const) {
  Deno.test(`rqKmeansPlus starts with latents that are the input and the nearest codewords of ${start}`, async () => {
    const device = await sharedDevice();
    const data = vectors(200, 18);
    const codebooks = await startCodebooks(device, data, { ...config, start });
    const model = new RqVae(device, plusShape(data.dim, config));
    model.load(new Map([...model.initial(1), ...codebooks]), "fresh weights");
    assert.deepEqual(await latentsOf(model, data), data.data);
    const greedy = await encodeResidual(device, data, { codebookSizes: [16, 16, 16], tensors: codebooks });
    assert.deepEqual((await codeRows(model, data)).codes, greedy.codes);
  });
}

Deno.test("rqKmeansPlus.fit() moves latents off the input, and the loss falls", async () => {
  const device = await sharedDevice();
  const embeddings = vectors(200, 18);
  const { model, notes } = await rqKmeansPlus.fit(device, { embeddings }, config);
  const last = model.tensors.get("encoder.1.weight")!.data;
  assert.ok(last.some((weight) => Math.abs(weight) > 1e-3));
  const short = { ...config, epochs: 1, evalEpochs: 1 };
  const early = await rqKmeansPlus.fit(device, { embeddings }, short);
  const lossOf = (facts: unknown) => (facts as { kept: { loss: number } }).kept.loss;
  assert.ok(lossOf(notes) < 0.9 * lossOf(early.notes), `${lossOf(notes)} after ${lossOf(early.notes)}`);
});
