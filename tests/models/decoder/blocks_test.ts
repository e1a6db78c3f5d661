import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { attentionShape, blockSpecs, decoderBlocks } from "../../../models/decoder/blocks.ts";
import { FrozenParameters } from "../../../models/parameters/frozen.ts";
import { selfAttention } from "../../../models/layers/layers.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import { ropeTable } from "../../../models/decoder/rope.ts";

const ROWS = 64;

/** Bytes that the parameters take, and that a forward pass adds at its peak. */
async function memoryOf(layers: number, layout: Layout) {
  const config = parseDecoderConfig({
    model_type: "qwen3",
    vocab_size: 10,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: layers,
    num_attention_heads: 2,
  });
  const device = await Device.open({ layout });
  const used = () => device.memory.buffers + device.memory.textures;
  const specs = blockSpecs(config);
  const shapes = new Map(specs.flatMap((spec) => partsOf(spec).map(({ name, shape }) => [name, [...shape]])));
  const weights = await FrozenParameters.load(device, specs, {
    folder: "zeros",
    read(name) {
      const shape = shapes.get(name)!;
      return Promise.resolve({ dtype: "F32", shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
    },
  });
  const parameters = used();
  const rotary = ropeTable(device, config, ROWS);
  const positions = device.createFlat("u32", Uint32Array.from({ length: ROWS }, (_, row) => row));
  const intervals = device.createFlat("u32", 4 * ROWS);
  const shape = attentionShape(config);
  const before = used();
  device.scope(() => {
    const tape = new Tape(device, false);
    const stream = device.matrix(ROWS, config.hidden_size);
    const blocks = { config, weights, shape, rotary };
    decoderBlocks(
      tape,
      blocks,
      stream,
      positions,
      (_layer, qkv) => selfAttention(tape, qkv, intervals, undefined, shape),
    );
  });
  await device.settle();
  return { parameters, activations: used() - before, specs };
}

for (const layout of ["texture", "buffer"] as const) {
  Deno.test(`memory of a forward pass hardly grows with the layers, ${layout}`, async () => {
    const two = await memoryOf(2, layout);
    const eight = await memoryOf(8, layout);
    // What attention keeps for a backward pass, four numbers a head and row, is all that a layer adds.
    assert.equal(eight.activations - two.activations, 6 * ROWS * 4 * 2 * 4);
  });

  Deno.test(`frozen parameters are on the device once, ${layout}`, async () => {
    const { parameters, specs } = await memoryOf(2, layout);
    const numbers = specs.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
    assert.equal(parameters, 4 * numbers);
  });
}
