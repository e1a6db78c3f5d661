import assert from "node:assert/strict";
import { pool, type SentenceConfig, sentenceSettings } from "../../../embed/text/sentence_model.ts";
import { UserError } from "../../../base/user_error.ts";

/** A model directory "m" in memory. */
function directory(files: Record<string, unknown>) {
  return {
    listFiles: () => Promise.resolve(Object.keys(files).filter((name) => !name.includes("/"))),
    readFile(path: string) {
      const value = files[path.replace(/^m\//, "")];
      if (value === undefined) throw new UserError(`Cannot read ${path}: no such file. Check the path`);
      return Promise.resolve(new TextEncoder().encode(JSON.stringify(value)));
    },
  };
}

const config: SentenceConfig = { model: "m", pooling: "auto", normalize: true, prefix: "", batchTokens: 64 };
const modulesOf = (...kinds: string[]) =>
  kinds.map((kind, idx) => ({
    idx,
    path: idx ? `${idx}_${kind}` : "",
    type: `sentence_transformers.models.${kind}`,
  }));

Deno.test("pool() takes the mean, the first or the last of a text's tokens", () => {
  const hidden = Float32Array.of(9, 9, 1, 2, 3, 4, 5, 12, 9, 9);
  assert.deepEqual([...pool(hidden, 2, 1, 4, "mean")], [3, 6]);
  assert.deepEqual([...pool(hidden, 2, 1, 4, "cls")], [1, 2]);
  assert.deepEqual([...pool(hidden, 2, 1, 4, "last")], [5, 12]);
});

Deno.test("a directory that says nothing means mean pooling of 2048 tokens, or of all positions if fewer", async () => {
  const bare = directory({});
  assert.deepEqual(await sentenceSettings(bare, config, 32768), { pooling: "mean", maxLength: 2048 });
  assert.deepEqual(await sentenceSettings(bare, config, 512), { pooling: "mean", maxLength: 512 });
});

for (
  const [pooling, said] of [
    ["last", { pooling_mode_lasttoken: true, pooling_mode_mean_tokens: false }],
    ["cls", { pooling_mode_cls_token: true }],
    ["mean", { pooling_mode_mean_tokens: true }],
    ["last", { pooling_mode: "lasttoken" }],
  ] as const
) {
  Deno.test(`a directory's pooling ${JSON.stringify(said)} is ${pooling}, unless a flag says otherwise`, async () => {
    const files = directory({
      "modules.json": modulesOf("Transformer", "Pooling", "Normalize"),
      "1_Pooling/config.json": said,
      "sentence_bert_config.json": { max_seq_length: 256 },
    });
    assert.deepEqual(await sentenceSettings(files, config, 512), { pooling, maxLength: 256 });
    const flags: SentenceConfig = { ...config, pooling: "cls", maxLength: 300 };
    assert.deepEqual(await sentenceSettings(files, flags, 512), { pooling: "cls", maxLength: 300 });
  });
}

Deno.test("what a directory asks for and cannot be had is refused, with the way out", async () => {
  const dense = directory({ "modules.json": modulesOf("Transformer", "Pooling", "Dense") });
  await assert.rejects(sentenceSettings(dense, config, 512), { message: /models\.Dense.*--provider npy$/ });
  const max = directory({
    "modules.json": modulesOf("Transformer", "Pooling"),
    "1_Pooling/config.json": { pooling_mode_max_tokens: true },
  });
  await assert.rejects(sentenceSettings(max, config, 512), { message: /Choose one with --pooling$/ });
  await assert.rejects(sentenceSettings(directory({}), { ...config, maxLength: 600 }, 512), {
    name: "UserError",
    message: "Cannot cut texts to 600 tokens: m has 512 positions. Use --max-length 512 or less",
  });
});
