import assert from "node:assert/strict";
import { heldState } from "../../../models/optimizer/optimizer.ts";
import { readStored } from "../../stored_state.ts";
import { sharedDevice } from "../../shared_device.ts";
import { join } from "node:path";
import { joinPieces } from "../../../base/files/pieces.ts";
import { writeSynced } from "../../../base/files/write_atomic.ts";
import type { TrainerState } from "../../../train/run/loss_log.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { readSafetensors, writeSafetensors } from "../../../models/safetensors/safetensors.ts";
import {
  checkpointFiles,
  type CheckpointParts,
  loadDecoder,
  loadTrainer,
  savingBytes,
} from "../../../train/run/checkpoint.ts";
import { DivergenceError } from "../../../train/run/divergence.ts";
import { tinyConfig, tinyDecoder, tinyTensors, TinyTraining } from "../../models/decoder/tiny.ts";

const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6];
const state: TrainerState = {
  step: 3,
  best: { score: 0.25, step: 2, stale: 1 },
  seconds: 1.5,
  pending: { sums: [1, 2], shares: [[0.5, 0.5]] },
  validationDue: true,
};

async function written(
  folder: string,
  parts: Partial<CheckpointParts> & Pick<CheckpointParts, "decoder" | "optimizer">,
) {
  const names: string[] = [];
  await Deno.mkdir(join(folder, "adapter"), { recursive: true });
  for await (
    const { name, bytes } of checkpointFiles({ state, companions: [], baseModel: "some/base", ...parts })
  ) {
    names.push(name);
    await writeSynced(join(folder, name), bytes);
  }
  return names;
}

Deno.test("a checkpoint holds the averaged weights as a model, and all that training goes on from", async () => {
  const folder = await Deno.makeTempDir();
  const device = await sharedDevice();
  const decoder = tinyDecoder(device, tinyConfig(12, true));
  const training = new TinyTraining(decoder, TOKENS, 0.9);
  for (let step = 0; step < 3; step++) await training.run(true);
  const companions = [{ name: "tokenizer.json", bytes: Uint8Array.of(1, 2) }];
  const names = await written(folder, { decoder, optimizer: training.optimizer, companions });
  assert.deepEqual([...names].sort(), [
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "trainer.json",
    "trainer.safetensors",
  ]);
  // Servers that read every file of safetensors in a folder leave out what training needs.
  const { weight_map: files } = JSON.parse(
    await Deno.readTextFile(join(folder, "model.safetensors.index.json")),
  );
  const weights = readSafetensors(await Deno.readFile(join(folder, "model.safetensors")));
  assert.deepEqual(Object.keys(files).sort(), [...weights.keys()].sort());
  assert.deepEqual(new Set(Object.values(files)), new Set(["model.safetensors"]));

  const { arrays, state: read } = await loadTrainer(folder);
  assert.deepEqual(read, state);
  const stored = await readStored(arrays);
  assert.deepEqual(stored, await training.optimizer.state());
  // The model is the average, the trainer has both.
  const saved = await loadDecoder(device, folder);
  const [mean] = await device.read(training.optimizer.average![0]);
  const [values] = await device.read(saved.parameters.segments[0].values);
  assert.deepEqual(values, mean);
  assert.notDeepEqual(stored.values, stored.ema);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a checkpoint of adapters holds them alone besides the merged model", async () => {
  const folder = await Deno.makeTempDir();
  const device = await sharedDevice();
  const lora = { r: 2, alpha: 4, dropout: 0, targetModules: ["q_proj"], rankStabilised: false };
  const decoder = new Decoder(device, tinyConfig(12, true), { lora, frozenRows: 8 });
  const tensors = new Map([...tinyTensors(decoder.config), ...decoder.lora!.initial(1)]);
  decoder.parameters.load(tensors, "test tensors");
  const training = new TinyTraining(decoder, TOKENS);
  await training.run(true);
  const names = await written(folder, { decoder, optimizer: training.optimizer });
  assert.ok(names.includes("adapter/adapter_model.safetensors"));
  const config = JSON.parse(await Deno.readTextFile(join(folder, "adapter/adapter_config.json")));
  assert.deepEqual([config.base_model_name_or_path, config.r, config.target_modules], ["some/base", 2, [
    "q_proj",
  ]]);
  const model = readSafetensors(await Deno.readFile(join(folder, "model.safetensors")));
  assert.ok(![...model.keys()].some((name) => name.includes("lora_")));
  await loadDecoder(device, folder);

  // The adapter fits the weights that it was made for, not those it was merged into, nor others of the same shapes.
  const beside = async (name: string, weights: Uint8Array) => {
    const path = join(folder, name);
    await Deno.mkdir(path);
    for (const file of ["config.json", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"]) {
      await Deno.copyFile(join(folder, file), join(path, file.replace("adapter/", "")));
    }
    await Deno.writeFile(join(path, "model.safetensors"), weights);
    return await Pretrained.open(path, diskFiles);
  };
  const own = tinyTensors(decoder.config);
  const based = await beside("own", writeSafetensors(own));
  assert.match(based.notes[0], /is added to 1 of them/);
  const q = "model.layers.0.self_attn.q_proj.weight";
  const merged = (await based.read(q)).data;
  for (const [i, value] of model.get(q)!.data.entries()) {
    assert.ok(Math.abs(merged[i] - value) < 1e-6, `${i}`);
  }
  const other = new Map(own).set(q, { ...own.get(q)!, data: own.get(q)!.data.map((value) => value * 1.01) });
  for (const [name, weights] of [["merged", model], ["other", other]] as const) {
    await assert.rejects(() => beside(name, writeSafetensors(weights)), (error: Error) => {
      assert.equal(error.name, "UserError");
      assert.match(
        error.message,
        new RegExp(`from ${join(folder, name)}: the adapter .* made for some/base,`),
      );
      assert.match(error.message, /q_proj\.weight has \S+ at 64, here \S+\. Put it beside/);
      return true;
    });
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a weight that is not finite is refused as divergence, before the checkpoint is whole", async () => {
  const device = await sharedDevice();
  const decoder = tinyDecoder(device, tinyConfig(12, true));
  const { optimizer } = new TinyTraining(decoder, TOKENS);
  const arrays = await optimizer.state();
  arrays.values[5] = NaN;
  await optimizer.restore(heldState(arrays), "a test");
  await assert.rejects(
    async () => {
      for await (
        const { bytes } of checkpointFiles({ decoder, optimizer, state, companions: [], baseModel: "" })
      ) {
        if (!(bytes instanceof Uint8Array)) await joinPieces(bytes);
      }
    },
    (error: Error) => error instanceof DivergenceError && /NaN.*before step 3 are intact/.test(error.message),
  );
});

Deno.test("loadTrainer() refuses arrays that are not finite and a state of another form", async () => {
  const folder = await Deno.makeTempDir();
  const write = (values: number[], json: unknown) =>
    Promise.all([
      Deno.writeFile(
        join(folder, "trainer.safetensors"),
        writeSafetensors(new Map([["m", { shape: [values.length], data: Float32Array.from(values) }]])),
      ),
      Deno.writeTextFile(join(folder, "trainer.json"), JSON.stringify(json)),
    ]);
  await assert.rejects(() => loadTrainer(folder), /trainer\.safetensors: no such file/);
  await write([1, Infinity], state);
  await assert.rejects(
    async () => readStored((await loadTrainer(folder)).arrays),
    /array m holds Infinity at 1/,
  );
  await write([1, 2], { ...state, seconds: "long" });
  await assert.rejects(() => loadTrainer(folder), /trainer\.json at \["seconds"\]/);
  await write([1, 2], state);
  const { arrays } = await loadTrainer(folder);
  assert.deepEqual((await readStored(arrays)).m, Float32Array.of(1, 2));
  assert.deepEqual(await arrays.read("m", 1, 1), Float32Array.of(2));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("savingBytes() is what is on its way to the file and what V8 lets stand, less what was given back", () => {
  const after = (reusable: number, isCpu = true) =>
    ({ isCpu, memory: { reusable } }) as unknown as Parameters<typeof savingBytes>[0];
  const weight = { name: "w", rows: 1000, cols: 1000, init: "zeros", decay: true, product: true } as const;
  const model = { specs: [weight], count: 1e6 };
  // A million numbers: 4 forms of 4 bytes at a time, 6 that stand.
  assert.equal(savingBytes(after(0), 1, model), 40e6);
  assert.equal(savingBytes(after(0), 2, model), 64e6);
  assert.equal(savingBytes(after(0), 9, model), 16e6 + 64 * 2 ** 20, "V8 collects");
  assert.equal(savingBytes(after(0), 1, model, model), 80e6);
  assert.equal(savingBytes(after(30e6), 1, model), 10e6);
  assert.equal(savingBytes(after(50e6), 1, model), 0);
  assert.equal(savingBytes(after(30e6, false), 1, model), 40e6, "a GPU has memory of its own");
  // Tables are read in parts, other weights whole.
  const large = { ...weight, rows: 8e6, cols: 1 };
  const most = 64 * 2 ** 20;
  assert.equal(savingBytes(after(0), 1, { specs: [large], count: 8e6 }), 16 * 8e6 + most);
  assert.equal(savingBytes(after(0), 1, { specs: [{ ...large, table: true }], count: 8e6 }), 2 ** 26 + most);
});
