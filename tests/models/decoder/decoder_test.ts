import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { packBatch } from "../../../data/packing/batches.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
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

async function load(device: Device, family: string) {
  const folder = new URL(`../../golden/decoder/${family}/`, import.meta.url);
  const config = readDecoderConfig(await Deno.readTextFile(new URL("config.json", folder)));
  const golden: Golden = JSON.parse(await Deno.readTextFile(new URL("golden.json", folder)));
  const tensors = readSafetensors(await Deno.readFile(new URL("model.safetensors", folder)));
  const gradients = readSafetensors(await Deno.readFile(new URL("grads.safetensors", folder)));
  const decoder = new Decoder(device, config);
  device.write(decoder.parameters.values, decoder.parameters.fromTensors(tensors, family));
  decoder.parameters.refresh();
  return { decoder, golden, gradients };
}

function packed(device: Device, golden: Golden) {
  const sequences = golden.sequences.map(({ tokens, targets }) => ({
    tokens: Uint32Array.from(tokens),
    targets: targets.flatMap((token, at) => token < 0 ? [] : [{ at, token, weight: 1 }]),
  }));
  const capacity = { tokens: 27, rows: 25 }; // more than needed: padding must not show
  const buffer = new PackedTokensBuffer(device, capacity);
  buffer.write(packBatch(sequences, capacity), 1 / golden.labelled);
  return buffer.packed;
}

// What differs between families and not between layouts is computed in one layout.
const FAMILIES: [family: string, layouts: Layout[], chunks: number[]][] = [
  ["qwen2", ["texture", "buffer"], [8192, 16]],
  ["qwen3", ["texture", "buffer"], [8192, 16]],
  ["llama", ["texture", "buffer"], [8192]],
  ["llama_linear", ["texture"], [8192]],
  ["qwen2_yarn", ["buffer"], [8192]],
  ["qwen3_dynamic", ["texture"], [8192]],
];

for (const [family, layouts, chunks] of FAMILIES) {
  for (const layout of layouts) {
    for (const chunk of chunks) {
      Deno.test(`decoder loss and gradients equal transformers' ${family}, ${layout}, chunks of ${chunk}`, async () => {
        const device = await sharedDevice(layout);
        const { decoder, golden, gradients } = await load(device, family);
        const rows = 25;
        const batch = packed(device, golden);
        const rowLoss = device.createFlat("f32", rows);
        const stats = device.createFlat("f32", 4 * rows);
        await device.scope(async () => {
          const tape = new Tape(device, true);
          const lossRows = { targets: batch.targets, weights: batch.weights, stats, rowLoss };
          // Logits of several chunks are computed again in one layout, and kept in the other.
          const mostKept = layout === "texture" ? 0 : undefined;
          decoder.loss(tape, batch, lossRows, { labelSmoothing: 0, chunk, mostKept });
          tape.backward();
          const [losses, flat] = await device.read(rowLoss, decoder.parameters.gradients);
          const loss = losses.reduce((a, b) => a + b, 0);
          assert.ok(Math.abs(loss - golden.loss) < 1e-5, `loss ${loss}, expected ${golden.loss}`);
          const actual = decoder.parameters.toTensors(flat);
          assert.deepEqual([...actual.keys()].sort(), [...gradients.keys()].sort());
          for (const [name, { data, shape }] of gradients) {
            assert.deepEqual(actual.get(name)!.shape, shape, name);
            const scale = data.reduce((max, v) => Math.max(max, Math.abs(v)), 1e-3);
            data.forEach((expected, i) => {
              const error = Math.abs(actual.get(name)!.data[i] - expected) / scale;
              assert.ok(error < 2e-4, `${name}[${i}] is ${actual.get(name)!.data[i]}, expected ${expected}`);
            });
          }
        });
      });
    }
  }
}

for (const family of ["qwen2", "qwen3"]) {
  for (const layout of ["texture", "buffer"] as Layout[]) {
    Deno.test(`decoding session gives transformers' ${family} logits at every prefix, ${layout}`, async () => {
      const device = await sharedDevice(layout);
      const { decoder, golden } = await load(device, family);
      // Prompt: all but the last three tokens. Three steps follow, two beams of which the second is the true one.
      const usable = golden.sequences.filter(({ tokens }) => tokens.length > 4);
      const prompts = usable.map(({ tokens }) => Uint32Array.from(tokens.slice(0, -3)));
      const session = decoder.start(prompts, 2, 3);
      const check = async (
        rows: Promise<Float32Array[]>,
        stride: number,
        at: (tokens: number[]) => number,
      ) => {
        const [logits] = await rows;
        usable.forEach(({ tokens, logits: expected }, u) => {
          const row = u * stride + stride - 1;
          expected[at(tokens)].forEach((value, v) => {
            const found = logits[row * decoder.vocabulary + v];
            assert.ok(
              Math.abs(found - value) < 1e-4,
              `logit ${v} after ${at(tokens)} is ${found}, expected ${value}`,
            );
          });
        });
      };
      await device.scope(() =>
        check(device.read(decoder.logits(session.hidden)), 1, (tokens) => tokens.length - 4)
      );
      for (let step = 0; step < 3; step++) {
        const tokens = device.createFlat(
          "u32",
          Uint32Array.from(usable.flatMap(({ tokens }) => [7, tokens[tokens.length - 3 + step]])),
        );
        const parents = device.createFlat("u32", Uint32Array.from(usable.flatMap(() => [0, 1])));
        await device.scope(() =>
          check(
            device.read(decoder.logits(session.step(tokens, parents))),
            2,
            (tokens) => tokens.length - 3 + step,
          )
        );
      }
      session.close();
    });
  }
}
