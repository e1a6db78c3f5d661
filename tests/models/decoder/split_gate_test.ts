import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { blockSpecs, splitsGate } from "../../../models/decoder/blocks.ts";
import { layoutParameters } from "../../../models/parameters/layout.ts";
import { tensorsOf, tinyConfig, tinyDecoder, TinyTraining, withLimits } from "./tiny.ts";

const TOKENS = [3, 17, 4, 4, 29, 11, 0, 8, 21, 30, 2, 5];
const LORA = { r: 4, alpha: 8, dropout: 0, targetModules: "all", rankStabilised: false } as const;

for (const layout of ["texture", "buffer"] as const) {
  for (const kind of ["full", "lora"]) {
    Deno.test(`gate and up that no matrix holds together train apart to the same weights, ${kind}, ${layout}`, async () => {
      const device = await sharedDevice(layout);
      const config = parseDecoderConfig({ ...tinyConfig(32, true), intermediate_size: 48 }, "a test");
      const make = () =>
        tinyDecoder(
          device,
          config,
          kind === "lora" ? { lora: LORA, frozenRows: 20, trainable: () => true } : {},
        );
      // Of (96, 16) in one matrix there is no room, of (48, 16) there is.
      const limits = layout === "texture"
        ? { maxTextureDimension2D: 64 }
        : { maxStorageBufferBindingSize: 4096 };
      const [whole, split] = [make(), withLimits(device, limits, make)];
      const names = (decoder: typeof whole) => decoder.parameters.specs.map(({ name }) => name);
      assert.ok(names(whole).some((name) => name.includes("gate_up")));
      assert.ok(!names(split).some((name) => name.includes("gate_up")));
      const [expected, found] = [new TinyTraining(whole, TOKENS), new TinyTraining(split, TOKENS)];
      for (let step = 0; step < 3; step++) {
        const [a, b] = [await expected.run(true), await found.run(true)];
        assert.ok(Math.abs(a - b) < 1e-5, `step ${step}: loss ${b}, expected ${a}`);
      }
      const [one, other] = [await tensorsOf(whole), await tensorsOf(split)];
      assert.deepEqual([...other.keys()].sort(), [...one.keys()].sort());
      for (const [name, { data }] of one) {
        data.forEach((value, i) => {
          const error = Math.abs(other.get(name)!.data[i] - value);
          assert.ok(error < 2e-4, `${name}[${i}] is off by ${error}`);
        });
      }
    });
  }
}

/** hidden_size, intermediate_size, heads and heads of keys of Qwen2.5. */
const QWEN = { "1.5": [1536, 8960, 12, 2], "3": [2048, 11008, 16, 2] };
// What every WebGPU adapter has, and what CPU adapters that keep matrices in textures have.
const LEAST = { maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 28 };
const ADAPTERS = { buffer: LEAST, texture: { ...LEAST, maxTextureDimension2D: 16384 } } as const;

for (
  const [size, [hidden_size, intermediate_size, num_attention_heads, num_key_value_heads]] of Object.entries(
    QWEN,
  )
) {
  for (const layout of ["texture", "buffer"] as const) {
    Deno.test(`products of Qwen2.5-${size}B are matrices that every adapter holds, ${layout}`, async () => {
      const config = parseDecoderConfig({
        ...tinyConfig(64, true),
        ...{ hidden_size, intermediate_size, num_attention_heads, num_key_value_heads },
        head_dim: hidden_size / num_attention_heads,
      });
      const device = await sharedDevice(layout);
      const { maxStorageBufferBindingSize, maxBufferSize } = LEAST;
      const specs = withLimits(
        device,
        ADAPTERS[layout],
        () => blockSpecs(config, splitsGate(config, device)),
      );
      const { parameters } = layoutParameters(specs, {
        matrixRows: layout === "texture" ? ADAPTERS.texture.maxTextureDimension2D : Infinity,
        bindingBytes: maxStorageBufferBindingSize,
        bufferBytes: maxBufferSize,
      });
      for (const { spec, blocks } of parameters) {
        assert.equal(blocks.length, 1, `${spec.name} (${spec.rows}, ${spec.cols})`);
      }
    });
  }
}
