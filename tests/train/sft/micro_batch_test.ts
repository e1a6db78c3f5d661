import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { SftSchema } from "../../../train/sft/config.ts";
import { withMicroBatch } from "../../../train/sft/micro_batch.ts";
import { tinyConfig, withLimits } from "../../models/decoder/tiny.ts";

// Gate and up are 32 columns wide together.
const architecture = tinyConfig(20, true);
const most = (tokens: number) => ({ maxStorageBufferBindingSize: 32 * 4 * tokens });
const sizesOf = ({ tokensPerBatch, gradientAccumulationSteps }: ReturnType<typeof withMicroBatch>) => [
  tokensPerBatch,
  gradientAccumulationSteps,
];

Deno.test("withMicroBatch() halves what a binding does not hold, to steps of as many tokens", async () => {
  const device = await Device.open({ layout: "buffer" });
  const fitted = (tokens: number, settings: Record<string, number>) =>
    withLimits(
      device,
      most(tokens),
      () => sizesOf(withMicroBatch(SftSchema.parse(settings), architecture, device)),
    );
  assert.deepEqual(fitted(512, { tokensPerBatch: 512, gradientAccumulationSteps: 3 }), [512, 3]);
  assert.deepEqual(fitted(511, { tokensPerBatch: 512, gradientAccumulationSteps: 3 }), [256, 6]);
  assert.deepEqual(fitted(100, { tokensPerBatch: 500 }), [62, 8]);
  assert.deepEqual(fitted(100, { tokensPerBatch: 512, batchSize: 32 }), [64, 1]); // as many as they need
});

Deno.test("withMicroBatch() counts columns by the format, and rows of textures", async () => {
  const settings = SftSchema.parse({ tokensPerBatch: 512 });
  const half = await Device.open({ dtype: "float16" });
  const ofHalf = withLimits(half, most(256), () => withMicroBatch(settings, architecture, half));
  assert.deepEqual(sizesOf(ofHalf), [512, 1]);
  const textures = await Device.open({ layout: "texture" });
  const ofRows = withLimits(
    textures,
    { maxTextureDimension2D: 256, ...most(1) },
    () => withMicroBatch(settings, architecture, textures),
  );
  assert.deepEqual(sizesOf(ofRows), [256, 2]);
});
