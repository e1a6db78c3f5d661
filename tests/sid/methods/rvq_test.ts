import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { rqKmeans } from "../../../sid/methods/rq_kmeans.ts";
import { rvq } from "../../../sid/methods/rvq.ts";

const random = new PhiloxStream(7, "test embeddings");
const embeddings = {
  data: Float32Array.from({ length: 300 * 8 }, () => random.normal()),
  rows: 300,
  dim: 8,
};

Deno.test("rvq.fit() ends well below the error of residual k-means with the same codebooks", async () => {
  const device = await sharedDevice();
  const settings = { codebookSize: 16, starts: 1, iterations: 12 };
  const plain = await rqKmeans.fit(device, { embeddings }, rqKmeans.Config.parse(settings));
  const refined = await rvq.fit(device, { embeddings }, rvq.Config.parse(settings));
  assert.ok(refined.errors[2] < 0.95 * plain.errors[2], `${refined.errors} against ${plain.errors}`);
});

Deno.test("rvq.encode() codes the items as fit() did", async () => {
  const device = await sharedDevice();
  const config = rvq.Config.parse({ codebookSize: 16, starts: 1, iterations: 5, rounds: 2, beam: 4 });
  const { model, ...coded } = await rvq.fit(device, { embeddings }, config);
  assert.deepEqual(await rvq.encode(device, embeddings, model, config), coded);
});
