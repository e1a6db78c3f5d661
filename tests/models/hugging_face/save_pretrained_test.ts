import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import { type ModelFile, Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";
import { savePretrained, type SavePretrainedOptions } from "../../../models/hugging_face/save_pretrained.ts";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { prompts, savedModels, saveModel } from "../../golden/decoder/saved_models.ts";
import { memoryFiles } from "../memory_files.ts";

interface Golden {
  text: string;
  models: Record<
    string,
    { files: Record<string, string>; dtype: string; ids: number[]; logits: number[][] }
  >;
}
const golden: Golden = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/decoder/saved.json", import.meta.url)),
);

async function sha256({ bytes }: ModelFile): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

for (const name of Object.keys(savedModels)) {
  Deno.test(`savePretrained() writes what transformers loaded for ${name}, and its logits are ours`, async () => {
    const { files, ids, logits: expected } = golden.models[name];
    const saved = await saveModel(name);
    const hashes = await Promise.all(saved.map(async (file) => [file.name, await sha256(file)]));
    assert.deepEqual(Object.fromEntries(hashes), files);

    const source = memoryFiles(saved);
    const pretrained = await Pretrained.open("saved", source);
    const device = await Device.open();
    const decoder = await Decoder.load(device, pretrained, pretrained.config);
    const session = decoder.start(prompts.map((prompt) => Uint32Array.from(prompt)), 1, 1);
    const [logits] = await device.scope(() => device.read(decoder.logits(session.hidden)));
    expected.flat().forEach((value, i) => {
      assert.ok(Math.abs(logits[i] - value) < 1e-4, `logit ${i} is ${logits[i]}, expected ${value}`);
    });
    session.close();

    // Read back from the device, it is saved as the same numbers.
    const { parameters } = decoder;
    const again = await Array.fromAsync(savePretrained(
      decoder.config,
      parameters.specs.flatMap(partsOf),
      parameters.readTensors(),
      { dtype: savedModels[name].options.dtype, maxShardSize: Infinity },
    ));
    const shards = saved.filter((file) => file.name.endsWith(".safetensors"));
    const stored = shards.flatMap(({ bytes }) => [...readSafetensors(bytes)]);
    assert.deepEqual(readSafetensors(again[0].bytes), new Map(stored));
    decoder.destroy();

    const tokenizer = new Tokenizer(await source.readFile("saved/tokenizer.json"), "tokenizer.json");
    assert.deepEqual([...tokenizer.encode(golden.text)], ids);
  });
}

const config = (await Pretrained.open("m", memoryFiles(await saveModel("llama")))).config;
const tensor = (name: string, ...data: number[]) => ({
  name,
  shape: [data.length],
  data: Float32Array.from(data),
});
type NamedTensor = ReturnType<typeof tensor>;

function save(announced: NamedTensor[], given: NamedTensor[], options?: SavePretrainedOptions) {
  const stream = (async function* () {
    yield* given;
  })();
  return Array.fromAsync(savePretrained(config, announced, stream, options));
}

const three = [tensor("c", 1, 2), tensor("a", 3, 4), tensor("b", 5, 6, 7, 8, 9)];

Deno.test("savePretrained() cuts shards where the next tensor would make one too large", async () => {
  const shardsOf = async (maxShardSize: number, dtype: "F32" | "F16" = "F32") => {
    const files = await save(three, three, { maxShardSize, dtype });
    return files.filter(({ name }) => name.endsWith(".safetensors"))
      .map(({ bytes }) => [...readSafetensors(bytes).keys()].join(""));
  };
  assert.deepEqual(await shardsOf(16), ["ac", "b"]); // a file is sorted by name
  assert.deepEqual(await shardsOf(15), ["c", "a", "b"]);
  assert.deepEqual(await shardsOf(36), ["abc"]);
  assert.deepEqual(await shardsOf(18, "F16"), ["abc"]);
});

Deno.test("savePretrained() lists every tensor in the index, and config.json comes last", async () => {
  const companions = [{ name: "generation_config.json", bytes: new TextEncoder().encode("{}") }];
  const files = await save(three, three, { maxShardSize: 16, companions });
  const names = files.map(({ name }) => name);
  const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const index = "model.safetensors.index.json";
  assert.deepEqual(names, [first, second, index, "generation_config.json", "config.json"]);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(files[2].bytes)), {
    metadata: { total_parameters: 9, total_size: 36 },
    weight_map: { a: first, b: second, c: first },
  });
  const single = await save(three, three);
  assert.deepEqual(single.map(({ name }) => name), ["model.safetensors", "config.json"]);
});

Deno.test("savePretrained() asks for a tensor only after the shards before were taken", async () => {
  let given = 0;
  const stream = (async function* () {
    for (const each of three) {
      given++;
      yield each;
    }
  })();
  const files = savePretrained(config, three, stream, { maxShardSize: 8 });
  await files.next();
  assert.equal(given, 1);
  await files.next();
  assert.equal(given, 2);
});

Deno.test("savePretrained() refuses tensors that were not announced, and values that cannot be stored", async () => {
  const [c, a, b] = three;
  await assert.rejects(save(three, [c, a]), { name: "RangeError", message: /later did not come/ });
  await assert.rejects(save([c, a], three), {
    name: "RangeError",
    message: /tensor b: it was not announced/,
  });
  await assert.rejects(save(three, [c, b, a], { maxShardSize: 16 }), {
    name: "RangeError",
    message: /tensor b: it was written before or not announced/,
  });
  await assert.rejects(save([c], [tensor("c", 1)]), { name: "RangeError", message: /1 values, expected 2/ });
  await assert.rejects(save([a], [tensor("a", 1, NaN)]), {
    name: "UserError",
    message: /tensor a holds NaN at 1, expected finite numbers/,
  });
  await assert.rejects(save([a], [tensor("a", 1, 1e5)], { dtype: "F16" }), {
    name: "UserError",
    message: /tensor a as F16: value 1 is 100000/,
  });
  const companions = [{ name: "config.json", bytes: new Uint8Array() }];
  await assert.rejects(save(three, three, { companions }), { message: /Cannot save config\.json twice/ });
});
