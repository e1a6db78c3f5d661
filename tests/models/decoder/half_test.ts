import assert from "node:assert/strict";
import { packBatch } from "../../../data/packing/batches.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import { readDecoderConfig } from "../../../models/decoder/config.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";

interface Golden {
  labelled: number;
  loss: number;
  sequences: { tokens: number[]; targets: number[]; logits: number[][] }[];
}

const CAPACITY = { tokens: 27, rows: 25 };
const SCALE = 1024; // of the loss, as training has one

// Two to three times the errors that were measured: 1e-3 of the loss, 3e-3 of the gradient, 9e-3 of the logits.
const LOSS = 2e-3;
const GRADIENT = 6e-3;
const LOGIT = 2.5e-2;

for (const family of ["qwen2", "qwen3"]) {
  Deno.test(`a float16 decoder stays near transformers' float32 ${family}: loss, gradients, decoding`, async () => {
    const folder = new URL(`../../golden/decoder/${family}/`, import.meta.url);
    const read = (name: string) => Deno.readFile(new URL(name, folder));
    const text = (name: string) => Deno.readTextFile(new URL(name, folder));
    const golden: Golden = JSON.parse(await text("golden.json"));
    const gradients = readSafetensors(await read("grads.safetensors"));
    const device = await Device.open({ dtype: "float16" });
    const decoder = new Decoder(device, readDecoderConfig(await text("config.json")));
    const { parameters } = decoder;
    parameters.write(parameters.fromTensors(readSafetensors(await read("model.safetensors")), family));

    const buffer = new PackedTokensBuffer(device, CAPACITY);
    const sequences = golden.sequences.map(({ tokens, targets }) => ({
      tokens: Uint32Array.from(tokens),
      targets: targets.flatMap((token, at) => token < 0 ? [] : [{ at, token, weight: 1 }]),
    }));
    buffer.write(packBatch(sequences, CAPACITY), SCALE / golden.labelled);
    const { targets, weights } = buffer.packed;
    const rowLoss = device.createFlat("f32", CAPACITY.rows);
    const stats = device.createFlat("f32", 4 * CAPACITY.rows);
    device.scope(() => {
      const tape = new Tape(device, true);
      decoder.loss(tape, buffer.packed, { targets, weights, stats, rowLoss }, { labelSmoothing: 0 });
      tape.backward();
    });
    const [losses, flat] = await device.read(rowLoss, parameters.gradients);
    const loss = losses.reduce((a, b) => a + b, 0) / SCALE;
    assert.ok(Math.abs(loss - golden.loss) < LOSS, `loss ${loss}, expected ${golden.loss}`);
    const actual = parameters.toTensors(flat);
    let [error, length] = [0, 0];
    for (const [name, { data }] of gradients) {
      data.forEach((expected, i) => {
        error += (actual.get(name)!.data[i] / SCALE - expected) ** 2;
        length += expected ** 2;
      });
    }
    assert.ok(Math.sqrt(error / length) < GRADIENT, `gradients are off by ${Math.sqrt(error / length)}`);

    // Prompt: all but the last token, which the session's cache then meets.
    const usable = golden.sequences.filter(({ tokens }) => tokens.length > 4);
    const session = decoder.start(usable.map(({ tokens }) => Uint32Array.from(tokens.slice(0, -1))), 1, 1);
    const last = device.createFlat("u32", Uint32Array.from(usable.map(({ tokens }) => tokens.at(-1)!)));
    const parents = device.createFlat("u32", usable.length);
    await device.scope(async () => {
      const [logits] = await device.read(decoder.logits(session.step(last, parents)));
      usable.forEach(({ logits: expected }, u) =>
        expected.at(-1)!.forEach((value, v) => {
          const found = logits[u * decoder.vocabulary + v];
          assert.ok(Math.abs(found - value) < LOGIT, `logit ${v} is ${found}, expected ${value}`);
        })
      );
    });
    session.close();
  });
}
