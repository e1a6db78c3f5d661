import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { rqKmeans } from "../../../sid/methods/rq_kmeans.ts";

Deno.test("rqKmeans.fit() finds codewords that can be told by hand", async () => {
  // Two far groups of two near points each: level 1 splits the groups, level 2 the rest of -1 and 1.
  const items = { data: Float32Array.of(99, 101, -101, -99), rows: 4, dim: 1 };
  const config = rqKmeans.Config.parse({ levels: 2, codebookSize: 2 });
  const { codes, model, errors } = await rqKmeans.fit(await sharedDevice(), { embeddings: items }, config);
  const codebooks = [0, 1].map((level) => model.tensors.get(`codebook.${level}`)!.data);
  const sums = [0, 1, 2, 3].map((n) => codebooks[0][codes[2 * n]] + codebooks[1][codes[2 * n + 1]]);
  assert.deepEqual(sums, [99, 101, -101, -99]);
  assert.deepEqual([...codebooks[0]].sort((a, b) => a - b), [-100, 100]);
  assert.deepEqual([...codebooks[1]].sort((a, b) => a - b), [-1, 1]);
  assert.deepEqual(errors, [1, 0]);
});

Deno.test("rqKmeans.fit() codes items that are all alike", async () => {
  const items = { data: new Float32Array(40).fill(3), rows: 20, dim: 2 };
  const { codes, errors } = await rqKmeans.fit(
    await sharedDevice(),
    { embeddings: items },
    rqKmeans.Config.parse({ codebookSize: 16 }),
  );
  assert.deepEqual([...codes], new Array(60).fill(0));
  assert.deepEqual(errors, [0, 0, 0]);
});

Deno.test("rqKmeans.encode() codes the items as fit() did", async () => {
  const random = new PhiloxStream(7, "test embeddings");
  const embeddings = {
    data: Float32Array.from({ length: 200 * 7 }, () => random.normal()),
    rows: 200,
    dim: 7,
  };
  const device = await sharedDevice();
  const config = rqKmeans.Config.parse({ codebookSize: 16, starts: 1, iterations: 5 });
  const { model, ...coded } = await rqKmeans.fit(device, { embeddings }, config);
  assert.deepEqual(await rqKmeans.encode(device, embeddings, model, config), coded);
});
