import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { diskFiles, type ReadFiles } from "../../../base/files/disk.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import type { ModelFiles } from "../../../models/hugging_face/weight_files.ts";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";
import { savePretrained } from "../../../models/hugging_face/save_pretrained.ts";
import { memoryFiles } from "../memory_files.ts";

const folderOf = (name: string) => fileURLToPath(new URL(`../../golden/${name}`, import.meta.url));
const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

Deno.test("a sharded model answers tensor by tensor what its shards hold", async () => {
  const folder = folderOf("embedding/qwen2_embedding");
  const pretrained = await Pretrained.open(folder, diskFiles);
  assert.equal(pretrained.config.hidden_size, 32);
  for (const shard of (await diskFiles.listFiles(folder)).filter((name) => name.endsWith(".safetensors"))) {
    for (const [name, tensor] of readSafetensors(await diskFiles.readFile(`${folder}/${shard}`))) {
      assert.deepEqual(await pretrained.read(name), tensor, name);
    }
  }
});

Deno.test("a backbone saved without the prefix model. answers to the names of a language model", async () => {
  const folder = folderOf("embedding/qwen3_embedding");
  const tensors = readSafetensors(await diskFiles.readFile(`${folder}/model.safetensors`));
  const pretrained = await Pretrained.open(folder, diskFiles);
  const table = tensors.get("embed_tokens.weight")!;
  assert.deepEqual(await pretrained.read("model.embed_tokens.weight"), table);
  const rows = await pretrained.readRows("model.embed_tokens.weight", 7, 3);
  assert.deepEqual(rows, table.data.slice(7 * 32, 10 * 32));
});

Deno.test("loading reads a file in parts, none larger than one tensor or the header", async () => {
  const folder = folderOf("embedding/qwen3_embedding");
  let largest = 0;
  const files: ReadFiles = {
    ...diskFiles,
    readFile(path) {
      assert.doesNotMatch(path, /safetensors$/);
      return diskFiles.readFile(path);
    },
    readRange(path, start, end) {
      largest = Math.max(largest, end - start);
      return diskFiles.readRange(path, start, end);
    },
  };
  const pretrained = await Pretrained.open(folder, files);
  await pretrained.read("model.layers.1.mlp.up_proj.weight");
  assert.equal(largest, 48 * 32 * 4);
});

Deno.test("a directory whose index and shards disagree is refused, and the file named", async () => {
  const folder = folderOf("embedding/qwen2_embedding");
  const index = JSON.parse(await Deno.readTextFile(`${folder}/${INDEX}`));
  const withIndex = (value: unknown): ReadFiles => ({
    ...diskFiles,
    readFile: (path) =>
      path.endsWith(INDEX)
        ? Promise.resolve(new TextEncoder().encode(JSON.stringify(value)))
        : diskFiles.readFile(path),
  });
  const open = (weights: object) =>
    Pretrained.open(folder, withIndex({ ...index, weight_map: { ...index.weight_map, ...weights } }));
  await assert.rejects(open({ "extra.weight": "model-00001-of-00003.safetensors" }), {
    name: "UserError",
    message: /says that tensor extra\.weight is in model-00001-of-00003\.safetensors, which does not have it/,
  });
  await assert.rejects(open({ "extra.weight": "model-00009.safetensors" }), {
    name: "UserError",
    message: /it has no model-00009\.safetensors/,
  });
  await assert.rejects(Pretrained.open(folder, withIndex({})), { name: "UserError", message: /weight_map/ });
});

Deno.test("a file that ends early is refused when it is opened", async () => {
  const folder = folderOf("embedding/qwen3_embedding");
  const files: ReadFiles = { ...diskFiles, fileSize: async (path) => await diskFiles.fileSize(path) - 4 };
  await assert.rejects(Pretrained.open(folder, files), {
    name: "UserError",
    message: /model\.safetensors: its tensors should end at byte \d+, but the file has \d+ bytes/,
  });
});

Deno.test("a model split into shards answers as the model in one file does", async () => {
  const folder = folderOf("decoder/llama");
  const whole = await Pretrained.open(folder, diskFiles);
  const tensors = readSafetensors(await diskFiles.readFile(`${folder}/${SINGLE}`));
  const shapes = Array.from(tensors, ([name, { shape }]) => ({ name, shape }));
  const stream = (async function* () {
    for (const [name, tensor] of tensors) yield { name, ...tensor };
  })();
  const companions = whole.companions();
  const shards = await Array.fromAsync(
    savePretrained(whole.config, shapes, stream, { maxShardSize: 5000, companions }),
  );
  assert.ok(shards.filter(({ name }) => name.endsWith(".safetensors")).length > 4);
  assert.ok(shards.some(({ name }) => name === "generation_config.json"));
  const split = await Pretrained.open("split", memoryFiles(shards));
  assert.deepEqual(split.config, whole.config);
  for (const name of tensors.keys()) assert.deepEqual(await split.read(name), await whole.read(name), name);
});

/** Opens the golden Llama with some files changed, left out (undefined) or added. */
async function openDamaged(
  changes: Record<string, Uint8Array<ArrayBuffer> | undefined>,
): Promise<Pretrained> {
  const folder = folderOf("decoder/llama");
  const files = new Map<string, Uint8Array<ArrayBuffer> | undefined>();
  for (const name of ["config.json", SINGLE]) files.set(name, await diskFiles.readFile(`${folder}/${name}`));
  for (const [name, bytes] of Object.entries(changes)) files.set(name, bytes);
  const present = [...files].flatMap(([name, bytes]) => bytes ? [{ name, bytes }] : []);
  return Pretrained.open("m", memoryFiles(present));
}
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const llama = {
  config: JSON.parse(await Deno.readTextFile(`${folderOf("decoder/llama")}/config.json`)),
  bytes: await Deno.readFile(`${folderOf("decoder/llama")}/${SINGLE}`),
};

/** The golden file with another header in front of its data. */
function withHeader(change: (header: Record<string, { shape: number[]; data_offsets: number[] }>) => void) {
  const end = 8 + Number(new DataView(llama.bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(llama.bytes.subarray(8, end)));
  change(header);
  const json = text(header);
  const bytes = new Uint8Array(8 + json.length + llama.bytes.length - end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(llama.bytes.subarray(end), 8 + json.length);
  return bytes;
}

const HEAD = "lm_head.weight";
const SHARD = "model-00001-of-00001.safetensors";
const DOWN = "model.layers.0.mlp.down_proj.bias";
const damages: [string, RegExp, Record<string, Uint8Array<ArrayBuffer> | undefined>][] = [
  ["its weights are missing", /it has no model\.safetensors\. Expected a Hugging Face directory/, {
    [SINGLE]: undefined,
  }],
  ["a shard is missing", /it has no model-00002-of-00002\.safetensors/, {
    [SINGLE]: undefined,
    "model-00001-of-00002.safetensors": llama.bytes,
    [INDEX]: text({ weight_map: { [HEAD]: "model-00002-of-00002.safetensors" } }),
  }],
  ["the index leaves a tensor out", /tensor model\.embed_tokens\.weight is missing among its 1 tensors/, {
    [SINGLE]: undefined,
    [SHARD]: llama.bytes,
    [INDEX]: text({ weight_map: { [HEAD]: SHARD } }),
  }],
  ["the index names a file elsewhere", /it has no \.\.\/m\/model-00001-of-00001\.safetensors/, {
    [SINGLE]: undefined,
    [SHARD]: llama.bytes,
    [INDEX]: text({ weight_map: { [HEAD]: `../m/${SHARD}` } }),
  }],
  ["the index is cut off", /index\.json: expected JSON, but/, {
    [SINGLE]: undefined,
    [SHARD]: llama.bytes,
    [INDEX]: text({ weight_map: {} }).slice(0, 9),
  }],
  ["the config is cut off", /Cannot read m\/config\.json: not JSON/, {
    "config.json": text(llama.config).slice(0, 99),
  }],
  ["the architecture is another", /model_type is "mamba": .*"llama"\|"qwen2"\|"qwen3"/, {
    "config.json": text({ ...llama.config, model_type: "mamba" }),
  }],
  ["the file is empty", /the file has 0 bytes, a safetensors file has at least 8/, {
    [SINGLE]: new Uint8Array(),
  }],
  ["the file ends in its header", /its header should end at byte \d+, but the file has 100 bytes: cut off/, {
    [SINGLE]: llama.bytes.slice(0, 100),
  }],
  ["the file ends in its data", /its tensors should end at byte \d+, but the file has \d+ bytes/, {
    [SINGLE]: llama.bytes.slice(0, -4000),
  }],
  ["the config has more rows", /embed_tokens\.weight has shape \[61,16\], expected \[64,16\] by its config/, {
    "config.json": text({ ...llama.config, vocab_size: 64 }),
  }],
  ["the config is wider", /gate_proj\.weight has shape \[24,16\], expected \[32,16\] by its config\.json/, {
    "config.json": text({ ...llama.config, intermediate_size: 32 }),
  }],
  ["the config has more layers", /tensor model\.layers\.2\.self_attn\.q_proj\.weight is missing/, {
    "config.json": text({ ...llama.config, num_hidden_layers: 3 }),
  }],
  ["a bias that the config asks for is missing", /tensor model\.layers\.1\.mlp\.down_proj\.bias is missing/, {
    [SINGLE]: withHeader((header) => {
      header["other"] = header["model.layers.1.mlp.down_proj.bias"];
      delete header["model.layers.1.mlp.down_proj.bias"];
    }),
  }],
  ["two tensors share bytes", /tensor \S+ starts at byte \d+ of the data, inside the tensor before it/, {
    [SINGLE]: withHeader((header) => {
      header[DOWN].data_offsets = header[DOWN].data_offsets.map((offset) => offset - 4);
    }),
  }],
  ["a tensor is beyond the end", /(belong to no tensor|its tensors should end at byte)/, {
    [SINGLE]: withHeader((header) => {
      header[DOWN].data_offsets = header[DOWN].data_offsets.map((offset) => offset + 1e9);
    }),
  }],
  ["a shape and its bytes disagree", /tensor lm_head\.weight F32 \(61, 17\) has 3904 bytes, expected 4148/, {
    [SINGLE]: withHeader((header) => header[HEAD].shape = [61, 17]),
  }],
];
for (const [what, message, changes] of damages) {
  Deno.test(`a model is refused where ${what}`, async () => {
    await assert.rejects(openDamaged(changes), (error: Error) => {
      assert.equal(error.name, "UserError");
      assert.match(error.message, message);
      assert.match(error.message, /\bm\b/); // the directory or file
      return true;
    });
  });
}

Deno.test("a damaged length of the header allocates nothing", async () => {
  const huge = 2 ** 38;
  let largest = 0;
  const files: ModelFiles = {
    ...memoryFiles([{ name: "config.json", bytes: text(llama.config) }, {
      name: SINGLE,
      bytes: llama.bytes,
    }]),
    fileSize: () => Promise.resolve(huge),
    readRange(_path, start, end) {
      largest = Math.max(largest, end - start);
      const bytes = new Uint8Array(end - start);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(huge - 8), true);
      return Promise.resolve(bytes);
    },
  };
  await assert.rejects(Pretrained.open("m", files), {
    name: "UserError",
    message: /its header should have \d+ bytes, more than the 100000000 of the format/,
  });
  assert.equal(largest, 8);
});
