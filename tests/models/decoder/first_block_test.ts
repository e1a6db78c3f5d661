import assert from "node:assert/strict";
import type { DecoderOptions } from "../../../models/decoder/decoder.ts";
import { ownDevice } from "../../shared_device.ts";
import { tinyConfig, tinyDecoder, TinyTraining } from "./tiny.ts";

const TOKENS = [3, 17, 4, 4, 29, 11, 0, 8];
const lora = { r: 4, alpha: 8, dropout: 0, targetModules: "all", rankStabilised: false } as const;

/** Products of a training step that read the first and the second block's weight of queries, keys and values. */
async function productsOf(options: DecoderOptions): Promise<number[]> {
  const device = await ownDevice("texture");
  const config = { ...tinyConfig(32, true), num_hidden_layers: 2 };
  const decoder = tinyDecoder(device, config, options);
  const weights = [0, 1].map((layer) => `model.layers.${layer}.self_attn.qkv.weight`);
  const reads = weights.map(() => 0);
  const matrices = weights.map((
    name,
  ) => [decoder.parameters.matrix(name), decoder.parameters.transposed(name)]);
  const run = device.run.bind(device);
  device.run = (kernel, dispatch) => {
    if (/^matmul/.test(kernel.entry)) {
      matrices.forEach((own, i) => reads[i] += Number(own.includes(dispatch.inputs![1])));
    }
    run(kernel, dispatch);
  };
  await new TinyTraining(decoder, TOKENS).run(false);
  decoder.destroy();
  return reads;
}

Deno.test("below adapters nothing is passed back to embeddings that are not trained", async () => {
  // Forward and the gradient of the input; of the first block, what would go to the embedding alone is left out.
  assert.deepEqual(await productsOf({ lora }), [1, 2]);
  assert.deepEqual(await productsOf({ lora, frozenRows: 20 }), [2, 2]); // rows of new tokens want it
  assert.deepEqual(await productsOf({}), [2, 2]);
});
