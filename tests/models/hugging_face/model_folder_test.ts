import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { diskFiles } from "../../../base/files/disk.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { readSafetensors, writeSafetensors } from "../../../models/safetensors/safetensors.ts";
import { memoryFiles } from "../memory_files.ts";

type Tensors = Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>;
type Files = Record<string, Uint8Array<ArrayBuffer>>;

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const EMBEDDING = "model.embed_tokens.weight", HEAD = "lm_head.weight", NORM = "model.norm.weight";

async function golden(name: string): Promise<{ config: Record<string, unknown>; tensors: Tensors }> {
  const folder = fileURLToPath(new URL(`../../golden/decoder/${name}`, import.meta.url));
  return {
    config: JSON.parse(await Deno.readTextFile(`${folder}/config.json`)),
    tensors: readSafetensors(await diskFiles.readFile(`${folder}/model.safetensors`)),
  };
}
const tied = await golden("qwen2"), untied = await golden("qwen3");

const open = (files: Files) =>
  Pretrained.open("m", memoryFiles(Object.entries(files).map(([name, bytes]) => ({ name, bytes }))));

function modelFiles({ config, tensors }: typeof tied, more: Files = {}): Files {
  return { "config.json": bytesOf(config), "model.safetensors": writeSafetensors(tensors), ...more };
}

async function refuses(files: Files, ...messages: RegExp[]): Promise<void> {
  await assert.rejects(open(files), (error: Error) => {
    assert.equal(error.name, "UserError");
    for (const message of messages) assert.match(error.message, message);
    return true;
  });
}

/** The same values under changed names; a name without one is left out. */
function renamed(tensors: Tensors, name: (name: string) => string | undefined): Tensors {
  return new Map([...tensors].flatMap(([old, tensor]) => {
    const found = name(old);
    return found === undefined ? [] : [[found, tensor]];
  }));
}

Deno.test("a whole file counts before an index that an earlier upload left", async () => {
  const index = bytesOf({ weight_map: { [EMBEDDING]: "model-00001-of-00002.safetensors" } });
  const pretrained = await open(modelFiles(untied, { "model.safetensors.index.json": index }));
  assert.deepEqual(await pretrained.read(NORM), untied.tensors.get(NORM));
  assert.deepEqual(pretrained.notes, []);
});

Deno.test("safetensors count beside pytorch_model.bin, which alone is refused with the way to convert it", async () => {
  const pickled = { "pytorch_model.bin": new Uint8Array(4) };
  assert.deepEqual((await open(modelFiles(tied, pickled))).notes, []);
  const { "model.safetensors": _, ...config } = modelFiles(tied);
  await refuses(
    { ...config, ...pickled },
    /pytorch_model\.bin, in Python's pickle format/,
    /save_pretrained/,
  );
  await refuses({ ...config, "pytorch_model-00001-of-00002.bin": new Uint8Array(4) }, /pickle format/);
  await refuses({ ...config, "model-Q8_0.gguf": new Uint8Array(4) }, /model-Q8_0\.gguf, a GGUF file/);
  await refuses(
    { ...config, "model-00001-of-00002.safetensors": new Uint8Array(4) },
    /it has model-00001-of-00002\.safetensors, but neither model\.safetensors nor/,
  );
});

Deno.test("an adapter of PEFT is called one, with its base model and the way to merge it", async () => {
  const adapter = {
    "adapter_config.json": bytesOf({ peft_type: "LORA", base_model_name_or_path: "Qwen/Qwen3-0.6B" }),
    "adapter_model.safetensors": new Uint8Array(8),
  };
  await refuses(adapter, /it is a PEFT adapter of Qwen\/Qwen3-0\.6B, not a model/, /merge_and_unload/);
});

/** Files of an adapter of some weights of `tied`. */
async function adapterFiles(config: Record<string, unknown> = {}, more: Tensors = new Map()): Promise<Files> {
  const folder = fileURLToPath(new URL("../../golden/decoder/lora/some", import.meta.url));
  const own = JSON.parse(await Deno.readTextFile(`${folder}/adapter_config.json`));
  const tensors = readSafetensors(await diskFiles.readFile(`${folder}/adapter_model.safetensors`));
  return {
    "adapter_config.json": bytesOf({ ...own, ...config }),
    "adapter_model.safetensors": writeSafetensors(new Map([...tensors, ...more])),
  };
}

for (const name of ["all", "some"]) {
  Deno.test(`an adapter of PEFT beside the weights is added to them, as transformers does: ${name}`, async () => {
    const at = (file: string) => fileURLToPath(new URL(`../../golden/decoder/${file}`, import.meta.url));
    const files: Files = modelFiles(tied);
    for (const file of ["adapter_config.json", "adapter_model.safetensors"]) {
      files[file] = await diskFiles.readFile(at(`lora/${name}/${file}`));
    }
    const pretrained = await open(files);
    assert.match(
      pretrained.notes[0],
      /^the PEFT adapter beside the weights of m is added to \d+ of them, as/,
    );
    assert.ok(pretrained.paths.includes("m/adapter_model.safetensors"));
    const device = await Device.open();
    const decoder = await Decoder.load(device, pretrained, pretrained.config);
    const { lastLogits } = JSON.parse(await Deno.readTextFile(at(`lora/${name}/golden.json`)));
    const { sequences } = JSON.parse(await Deno.readTextFile(at("qwen2/golden.json")));
    for (const [i, { tokens }] of sequences.entries()) {
      const session = decoder.start([Uint32Array.from(tokens)], 1, 1);
      const [logits] = await device.scope(() => device.read(decoder.logits(session.hidden)));
      session.close();
      lastLogits[i].forEach((value: number, token: number) =>
        assert.ok(
          Math.abs(logits[token] - value) < 1e-4,
          `logit ${token} of ${i} is ${logits[token]}, not ${value}`,
        )
      );
    }
    decoder.destroy();
  });
}

Deno.test("an adapter beside the weights may bring tables of its own, and is refused where it fits none", async () => {
  const table = tied.tensors.get(EMBEDDING)!;
  const other = { ...table, data: table.data.map((value) => value + 1) };
  const own = (name: string) => `base_model.model.${name}`;
  const both = new Map([[own(EMBEDDING), other], [own(HEAD), table]]);
  const pretrained = await open(modelFiles(tied, await adapterFiles({}, both)));
  assert.match(
    pretrained.notes[0],
    /and replaces model\.embed_tokens\.weight, lm_head\.weight, as transformers does/,
  );
  assert.deepEqual((await pretrained.read(EMBEDDING)).data, other.data);
  assert.deepEqual((await pretrained.read(HEAD)).data, table.data);
  assert.equal(pretrained.config.tie_word_embeddings, false);

  const refusesWith = async (message: RegExp, config: Record<string, unknown>, more: Tensors = new Map()) =>
    await refuses(modelFiles(tied, await adapterFiles(config, more)), message);
  await refusesWith(/ties, its adapter of qwen2 has one alone/, {}, new Map([[own(EMBEDDING), other]]));
  await refusesWith(/use_dora is true, which is not supported/, { use_dora: true });
  await refusesWith(/expected one of|expected "LORA"/, { peft_type: "IA3" });
  await refusesWith(/of its adapter of qwen2 has shape .*expected \[5,32\] and \[\d+,5\] for these weights/, {
    r: 5,
  });
  await refusesWith(
    /its adapter of qwen2 has factors of model\.layers\.0\.\S+, and target_modules in adapter_config\.json are lm_tail\./,
    { target_modules: ["lm_tail"] },
  );
  await refusesWith(/\["target_modules"\]: expected a list of modules or "all-linear", patterns are not/, {
    target_modules: ".*_proj",
  });
  const factor = (name: string) => own(`${name}.lora_A.weight`);
  await refusesWith(
    /belongs to no weight of the model/,
    {},
    new Map([[factor("model.layers.9.self_attn.q_proj"), table]]),
  );
  await refusesWith(/neither a factor of LoRA nor a weight/, {}, new Map([["base_model.extra", table]]));
  await refusesWith(
    /its adapter of qwen2 has factors of lm_head\.weight|belongs to no weight/,
    {},
    new Map([[factor("lm_head"), table]]),
  );
  const { "adapter_model.safetensors": _, ...bare } = await adapterFiles();
  await refuses(
    modelFiles(tied, bare),
    /stands beside the weights, but there is no adapter_model\.safetensors/,
  );
});

Deno.test("adapters among the tensors of a model are refused, not passed over", async () => {
  const q = "model.layers.0.self_attn.q_proj";
  const tensors = new Map(untied.tensors).set(`base_model.model.${q}.lora_A.default.weight`, {
    shape: [1, 32],
    data: new Float32Array(32),
  });
  await refuses(modelFiles({ ...untied, tensors }), /lora_A.default.weight belongs to an adapter/, /Merge/);
});

Deno.test("a head that differs from the embedding is a head of its own, whatever config.json says", async () => {
  const config = { ...untied.config, tie_word_embeddings: true };
  const pretrained = await open(modelFiles({ ...untied, config }));
  assert.equal(pretrained.config.tie_word_embeddings, false);
  assert.match(pretrained.notes[0], /says tie_word_embeddings true, but lm_head\.weight differs from/);
  assert.equal(pretrained.notes.length, 1);
  assert.deepEqual(await pretrained.read(HEAD), untied.tensors.get(HEAD));
});

Deno.test("a head that equals the embedding is tied to it, and so is a table stored under the head's name", async () => {
  const table = tied.tensors.get(EMBEDDING)!;
  const twice = await open(modelFiles({ ...tied, tensors: new Map(tied.tensors).set(HEAD, table) }));
  assert.equal(twice.config.tie_word_embeddings, true);
  assert.deepEqual(twice.notes, []);
  const tensors = renamed(tied.tensors, (name) => name === EMBEDDING ? HEAD : name);
  const moved = await open(modelFiles({ ...tied, tensors }));
  assert.deepEqual((await moved.read(EMBEDDING)).data, table.data);
  assert.deepEqual(moved.notes, []);
});

Deno.test("a language model without the head that its config.json asks for says so", async () => {
  const tensors = renamed(untied.tensors, (name) => name === HEAD ? undefined : name);
  const pretrained = await open(modelFiles({ ...untied, tensors })); // enough for an embedding model
  await assert.rejects(pretrained.read(HEAD), {
    name: "UserError",
    message: /no lm_head\.weight, and its config\.json says tie_word_embeddings false\. Set that to true if/,
  });
});

const wrappers: [string, (name: string) => string][] = [
  ["module.", (name) => `module.${name}`],
  ["_orig_mod.", (name) => `_orig_mod.${name}`],
  ["_orig_mod.module.", (name) => `_orig_mod.module.${name}`],
  ["base_model.model.", (name) => `base_model.model.${name}`],
  ["model.", (name) => `model.${name}`],
  ["transformer.", (name) => `transformer.${name}`],
];
for (const [prefix, wrap] of wrappers) {
  Deno.test(`tensors of a model wrapped as ${prefix} are read without it, which is told`, async () => {
    const pretrained = await open(modelFiles({ ...untied, tensors: renamed(untied.tensors, wrap) }));
    for (const [name, tensor] of untied.tensors) assert.deepEqual(await pretrained.read(name), tensor, name);
    assert.equal(pretrained.notes.length, 1);
    assert.match(pretrained.notes[0], /are those of a wrapped model, read without/);
    assert.ok(pretrained.notes[0].includes(`without ${prefix}`), pretrained.notes[0]);
  });
}

Deno.test("names that no wrapper explains, and two models in one, are refused", async () => {
  const strange = renamed(untied.tensors, (name) => `vision.${name}`);
  await refuses(
    modelFiles({ ...untied, tensors: strange }),
    /tensors are named vision\.model\.\.\.\., expected/,
  );
  const both = new Map([...untied.tensors, ...renamed(untied.tensors, (name) => `teacher.${name}`)]);
  await refuses(modelFiles({ ...untied, tensors: both }), /are both a last norm/);
});

Deno.test("tensors that nothing needs are left, and named", async () => {
  const extra = { shape: [4], data: new Float32Array(4) };
  const frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq";
  const old = await open(modelFiles({ ...tied, tensors: new Map(tied.tensors).set(frequencies, extra) }));
  assert.match(
    old.notes[0],
    /1 tensors that follow from config\.json are not read \(model\.layers\.0.*inv_freq\)/,
  );
  const more = new Map(tied.tensors).set(frequencies, extra).set("model.layers.9.mlp.up_proj.weight", extra);
  const [note] = (await open(modelFiles({ ...tied, tensors: more }))).notes;
  assert.match(
    note,
    /2 tensors are not read, since config\.json has no place for them \(model\.layers\.9\.mlp/,
  );
});
