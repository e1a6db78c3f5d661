import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { join } from "node:path";
import constrained from "../../golden/clustering/constrained_kmeans.json" with { type: "json" };
import faiss from "../../golden/clustering/faiss.json" with { type: "json" };
import { readMatrix } from "../../../base/npy.ts";
import type { Embeddings } from "../../../sid/embeddings.ts";
import { rqKmeans, type RqKmeansConfig } from "../../../sid/methods/rq_kmeans.ts";
import { realData } from "../../data/downloaded.ts";

async function error(embeddings: Embeddings, settings: Partial<RqKmeansConfig>): Promise<number> {
  const config = rqKmeans.Config.parse(settings);
  const { errors } = await rqKmeans.fit(await sharedDevice(), { embeddings }, config);
  return errors[2];
}

Deno.test("rqKmeans.fit() is within 1 % of faiss's residual quantizer on overlapping blobs", async () => {
  const { points } = constrained;
  const blobs = { data: Float32Array.from(points.flat()), rows: points.length, dim: points[0].length };
  const ours = await error(blobs, { codebookSize: 16 });
  assert.ok(ours < 1.01 * faiss.blobs[1][2], `error ${ours}, faiss ${faiss.blobs[1][2]}`);
});

const letter = realData("letter-instruments");
Deno.test({
  name: "rqKmeans.fit() is within 1 % of faiss's residual quantizer on collaborative embeddings",
  ignore: letter === undefined,
  fn: async () => {
    const file = join(letter!, "collab.sasrec32.npy");
    const ours = await error(readMatrix(await Deno.readFile(file), file), { starts: 1 });
    assert.ok(ours < 1.01 * faiss.collab[1][2], `error ${ours}, faiss ${faiss.collab[1][2]}`);
  },
});
