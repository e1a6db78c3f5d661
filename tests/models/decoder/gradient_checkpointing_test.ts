import assert from "node:assert/strict";
import { packBatch } from "../../../data/packing/batches.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";

const TOKENS = 96;
const VOCABULARY = 40;

/** Loss and gradients of one step with dropout, the bytes that its activations take, and what a second step makes. */
async function step(device: Device, layers: number, gradientCheckpointing: boolean) {
  const config = parseDecoderConfig({
    model_type: "qwen3",
    vocab_size: VOCABULARY,
    hidden_size: 32,
    intermediate_size: 96,
    num_hidden_layers: layers,
    num_attention_heads: 2,
  });
  const lora = {
    r: 4,
    alpha: 8,
    dropout: 0.2,
    targetModules: ["v_proj", "down_proj"],
    rankStabilised: false,
  };
  const decoder = new Decoder(device, config, { lora, gradientCheckpointing, trainable: () => true });
  const normal = new PhiloxStream(1, "weights");
  const tensors = decoder.parameters.toTensors(decoder.parameters.initial(() => normal.normal(), () => 0.3));
  for (const [name, { data }] of tensors) {
    if (name.endsWith("lora_B.weight")) data.forEach((_, i) => data[i] = 0.1 * normal.normal());
  }
  device.write(decoder.parameters.values, decoder.parameters.fromTensors(tensors, "test"));
  decoder.parameters.refresh();

  const capacity = { tokens: TOKENS, rows: 12 };
  const sequences = Array.from({ length: 4 }, (_, s) => ({
    tokens: Uint32Array.from({ length: TOKENS / 4 }, (_, i) => (7 * i + s) % VOCABULARY),
    targets: [5, 11, 20].map((at) => ({ at, token: (at + s) % VOCABULARY, weight: 1 })),
  }));
  const buffer = new PackedTokensBuffer(device, capacity);
  buffer.write(packBatch(sequences, capacity), 1 / 12);
  const { packed } = buffer;
  const rowLoss = device.createFlat("f32", 12);
  const rows = {
    targets: packed.targets,
    weights: packed.weights,
    stats: device.createFlat("f32", 48),
    rowLoss,
  };
  const dropout = { rate: 0.1, seed: device.createFlat("u32", new Uint32Array([3, 0, 5, 0])) };
  const run = () =>
    device.scope(() => {
      const tape = new Tape(device, true);
      decoder.loss(tape, packed, rows, { labelSmoothing: 0, dropout });
      tape.backward();
    });
  const before = device.memory.buffers + device.memory.textures;
  run();
  const activations = device.memory.buffers + device.memory.textures - before;
  const names = [
    "model.embed_tokens.weight",
    "model.layers.0.self_attn.qkv.weight",
    "model.layers.0.mlp.down_proj.lora_A.weight",
    "model.layers.1.self_attn.qkv.lora_B.weight",
    "model.layers.1.self_attn.qk_norm.weight",
    "model.layers.1.post_attention_layernorm.weight",
  ];
  const read = await device.read(rowLoss, ...names.map((name) => decoder.parameters.gradient(name)!));
  run(); // bind groups from before a buffer of results grew are made anew
  const { allocations, bindGroups } = device.counters;
  run();
  const made = [device.counters.allocations - allocations, device.counters.bindGroups - bindGroups];
  decoder.destroy();
  device.trim();
  return { losses: read[0], gradients: read.slice(1), activations, made };
}

/** How far two arrays are apart, as a share of the length of the second. */
function distance(found: Float32Array, expected: Float32Array): number {
  const length = Math.hypot(...expected);
  assert.ok(length > 0);
  return Math.hypot(...found.map((value, i) => value - expected[i])) / length;
}

for (const options of [{ layout: "texture" }, { layout: "buffer" }, { dtype: "float16" }] as const) {
  Deno.test(`gradient checkpointing gives the same in less memory, dropout and adapters included, ${Object.values(options)}`, async () => {
    const device = await Device.open(options);
    const plain = await step(device, 12, false);
    const checkpointed = await step(device, 12, true);
    assert.ok(plain.losses.every((loss) => loss > 0));
    if ("dtype" in options) {
      // What is dropped between two blocks is stored in half here, and added at once there.
      assert.ok(distance(checkpointed.losses, plain.losses) < 2e-3);
      plain.gradients.forEach((gradient, i) => {
        const apart = distance(checkpointed.gradients[i], gradient);
        assert.ok(apart < 0.02, `gradient ${i} is ${apart} of its length off`);
      });
    } else {
      assert.deepEqual(checkpointed.losses, plain.losses);
      plain.gradients.forEach((gradient, i) => {
        assert.ok(gradient.some((value) => value !== 0));
        assert.deepEqual(checkpointed.gradients[i], gradient);
      });
    }
    // The stream between blocks is float32 whatever the rest is.
    const share = checkpointed.activations / plain.activations;
    assert.ok(share < ("dtype" in options ? 0.6 : 0.5), `${share} of the memory`);
    assert.deepEqual(checkpointed.made, [0, 0]);
    // A layer more is one stream more, and its gradients lie where others did.
    const more = await step(device, 13, true);
    assert.equal(more.activations - checkpointed.activations, 4 * TOKENS * 32);
  });
}
