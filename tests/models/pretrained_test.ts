import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { diskFiles, type ReadFiles } from "../../data/read_files.ts";
import { Pretrained } from "../../models/pretrained.ts";
import { readSafetensors } from "../../models/safetensors.ts";

const folderOf = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const INDEX = "model.safetensors.index.json";

Deno.test("a sharded model answers tensor by tensor what its shards hold", async () => {
  const folder = folderOf("qwen2_embedding");
  const pretrained = await Pretrained.open(folder, diskFiles);
  assert.equal(pretrained.config.hidden_size, 32);
  for (const shard of (await diskFiles.listFiles(folder)).filter((name) => name.endsWith(".safetensors"))) {
    for (const [name, tensor] of readSafetensors(await diskFiles.readFile(`${folder}/${shard}`))) {
      assert.deepEqual(await pretrained.read(name), tensor, name);
    }
  }
});

Deno.test("a backbone saved without the prefix model. answers to the names of a language model", async () => {
  const folder = folderOf("qwen3_embedding");
  const tensors = readSafetensors(await diskFiles.readFile(`${folder}/model.safetensors`));
  const pretrained = await Pretrained.open(folder, diskFiles);
  const table = tensors.get("embed_tokens.weight")!;
  assert.deepEqual(await pretrained.read("model.embed_tokens.weight"), table);
  const rows = await pretrained.readRows("model.embed_tokens.weight", 7, 3);
  assert.deepEqual(rows, table.data.slice(7 * 32, 10 * 32));
});

Deno.test("loading reads a file in parts, none larger than one tensor or the header", async () => {
  const folder = folderOf("qwen3_embedding");
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
  const folder = folderOf("qwen2_embedding");
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
  const folder = folderOf("qwen3_embedding");
  const files: ReadFiles = { ...diskFiles, fileSize: async (path) => await diskFiles.fileSize(path) - 4 };
  await assert.rejects(Pretrained.open(folder, files), {
    name: "UserError",
    message: /model\.safetensors: its tensors should end at byte \d+, but the file has \d+ bytes/,
  });
});
