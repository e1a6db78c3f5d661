import assert from "node:assert/strict";
import { packBatch } from "../../../data/packing/batches.ts";
import { Tape } from "../../../kernels/tape.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";
import { readSegments } from "../../../models/parameters/flat_segments.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { sharedDevice } from "../../shared_device.ts";

const config = parseDecoderConfig({
  model_type: "qwen3",
  vocab_size: 12,
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 3,
  num_attention_heads: 1,
  num_key_value_heads: 1,
  head_dim: 8,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  hidden_act: "silu",
  tie_word_embeddings: true,
  bos_token_id: null,
  eos_token_id: 1,
  pad_token_id: null,
});
const targets = [1, 2, 3].map((at) => ({ at, token: at + 4, weight: 1 }));
const batch = packBatch([{ tokens: Uint32Array.of(2, 3, 4, 5), targets }], { tokens: 16, rows: 16 });

for (const gradientCheckpointing of [false, true]) {
  const name = gradientCheckpointing ? "with activation checkpointing" : "of plain blocks";
  Deno.test(`gradients of a layer are whole when the tape says so, ${name}`, async () => {
    const device = await sharedDevice();
    const decoder = new Decoder(device, config, { gradientCheckpointing });
    const random = new PhiloxStream(1, "weights");
    decoder.parameters.write(decoder.parameters.initial(() => random.normal(), () => 0.3));
    const layers = decoder.layerGradients;
    assert.equal(layers.length, 3);
    const buffer = new PackedTokensBuffer(device, { tokens: 16, rows: 16 });
    buffer.write(batch, 1 / 3);
    const { targets, weights } = buffer.packed;
    const [rowLoss, stats] = [16, 64].map((length) => device.createFlat("f32", length));
    decoder.parameters.clearGradients();
    const said: number[] = [];
    const early: Promise<Float32Array[]>[] = [];
    device.scope(() => {
      const tape = new Tape(device, true, (layer) => {
        said.push(layer);
        early[layer] = readSegments(device, layers[layer]);
      });
      decoder.loss(tape, buffer.packed, { targets, weights, stats, rowLoss }, { labelSmoothing: 0 });
      tape.backward();
    });
    assert.deepEqual(said, [2, 1, 0]);
    for (const [layer, flats] of layers.entries()) {
      const [then] = await early[layer];
      const [end] = await readSegments(device, flats);
      assert.deepEqual(then, end, `layer ${layer}`);
      assert.ok(end.some((value) => value !== 0));
    }
    buffer.destroy();
    for (const flat of [rowLoss, stats]) device.destroy(flat);
    decoder.destroy();
  });
}
