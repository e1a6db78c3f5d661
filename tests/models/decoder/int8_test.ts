import assert from "node:assert/strict";
import type { Device } from "../../../kernels/gpu/device.ts";
import { toInt8Rows } from "../../../kernels/matmul/int8/rows.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";
import { ownDevice } from "../../shared_device.ts";
import { tensorsOf, tinyConfig, tinyTensors, withLimits } from "./tiny.ts";

const config = parseDecoderConfig({ ...tinyConfig(61, false), intermediate_size: 40 }, "a test");
const PROMPT = [3, 17, 4, 60, 29];
const isProduct = (name: string) => /proj\.weight$/.test(name);

/** The tensors as their numbers of eight bits read back. */
function rounded(tensors: TensorMap): TensorMap {
  return new Map([...tensors].map(([name, tensor]) => {
    if (!isProduct(name)) return [name, tensor];
    const { shape: [rows, cols], data } = tensor;
    const { words, scales } = toInt8Rows(data, rows, cols);
    const bytes = new Int8Array(words.buffer);
    return [name, { shape: [rows, cols], data: data.map((_, i) => bytes[i] * scales[Math.floor(i / cols)]) }];
  }));
}

async function load(device: Device, tensors: TensorMap, int8: boolean): Promise<Decoder> {
  const read = (name: string) => Promise.resolve({ dtype: "F32" as const, ...tensors.get(name)! });
  const source = { folder: "a test", read: read as Parameters<typeof Decoder.load>[1]["read"] };
  return await Decoder.load(device, source, config, { int8 });
}

async function logits(decoder: Decoder): Promise<Float32Array> {
  const { device } = decoder;
  const session = decoder.start([Uint32Array.from(PROMPT)], 1, 2);
  const [values] = await device.scope(() => device.read(decoder.logits(session.hidden)));
  session.close();
  return values;
}

for (const layout of ["texture", "buffer"] as const) {
  Deno.test(`a decoder in eight bits answers as one of the rounded weights, in less memory, ${layout}`, async () => {
    const device = await ownDevice(layout);
    const tensors = tinyTensors(config);
    const held = () => device.memory.buffers + device.memory.textures;
    const found: Float32Array[] = [], bytes: number[] = [];
    const models = [[tensors, true], [rounded(tensors), false], [tensors, false]] as const;
    for (const [values, int8] of models) {
      const before = held();
      const decoder = await load(device, values, int8);
      bytes.push(held() - before);
      found.push(await logits(decoder));
      decoder.destroy();
    }
    const [coded, expected, exact] = found;
    const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i])));
    assert.ok(apart(coded, expected) < 1e-4, `logits are ${apart(coded, expected)} apart`);
    const error = apart(coded, exact) / Math.max(...exact.map(Math.abs));
    assert.ok(error > 0 && error < 0.05, `eight bits move logits by ${error}`);
    // Tables (61, 16) stay as they are, once; of products 3 of 4 bytes go, and everything that training needs.
    assert.ok(bytes[0] < bytes[2] / 2, `${bytes} bytes`);
  });
}

Deno.test("a decoder in eight bits with gate and up apart answers alike, and cannot be saved", async () => {
  const device = await ownDevice("texture");
  const tensors = tinyTensors(config);
  const whole = await load(device, tensors, true);
  const split = withLimits(
    device,
    { maxTextureDimension2D: 64 },
    () => new Decoder(device, config, { int8: true }),
  );
  assert.ok(split.parameters.specs.length > whole.parameters.specs.length);
  split.parameters.load(tensors, "test tensors");
  assert.deepEqual(await logits(split), await logits(whole));
  await assert.rejects(() => tensorsOf(whole), /in eight bits cannot be read back/);
  assert.deepEqual([whole.parameters.trainedCount, whole.parameters.count], [0, split.parameters.count]);
});
