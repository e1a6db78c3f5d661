import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { joinPieces } from "../../../base/files/pieces.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { UserError } from "../../../base/user_error.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { readGgufHeader } from "../../../models/gguf/header.ts";
import { withGguf } from "../../../models/gguf/files.ts";
import { ggufVocabulary } from "../../../models/gguf/tokenizer.ts";
import { ggufFile } from "../../../models/gguf/write.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import { readTokenizer } from "../../../models/tokenizer/from_folder.ts";
import { sharedDevice } from "../../shared_device.ts";
import { tinyConfig } from "../decoder/tiny.ts";
import { memoryFiles } from "../memory_files.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../golden/decoder/${name}`, import.meta.url));
const read: { texts: string[]; ids: number[][]; logits: number[][] } = JSON.parse(
  await Deno.readTextFile(golden("gguf.json")),
);
const TINY = await Deno.readFile(golden("tiny.gguf"));

async function lastLogits(decoder: Decoder, tokens: number[]): Promise<number[]> {
  const session = decoder.start([Uint32Array.from(tokens)], 1, 1);
  const [logits] = await decoder.device.scope(() => decoder.device.read(decoder.logits(session.hidden)));
  session.close();
  return [...logits];
}

Deno.test("a GGUF file is the model and the tokenizer that transformers makes of it", async () => {
  const files = withGguf(diskFiles);
  const path = golden("tiny.gguf");
  const { tokenizer } = await readTokenizer(path, files);
  assert.deepEqual(read.texts.map((text) => [...tokenizer.encode(text)]), read.ids);
  const pretrained = await Pretrained.open(path, files);
  assert.deepEqual(pretrained.notes, []);
  assert.deepEqual(pretrained.paths, [path]);
  const decoder = await Decoder.load(await sharedDevice(), pretrained, pretrained.config);
  for (const [i, ids] of read.ids.entries()) {
    (await lastLogits(decoder, ids)).forEach((value, v) => {
      const error = Math.abs(value - read.logits[i][v]);
      assert.ok(error < 2e-4, `logit ${v} after ${JSON.stringify(read.texts[i])} is off by ${error}`);
    });
  }
  // A table is read row by row where it is trimmed.
  const all = (await pretrained.read("model.embed_tokens.weight")).data;
  const some = await pretrained.readRows("model.embed_tokens.weight", 7, 3);
  assert.deepEqual(some, all.slice(7 * 64, 10 * 64));
  decoder.destroy();
});

for (const format of ["F32", "F16", "Q8_0"] as const) {
  Deno.test(`a model written as GGUF in ${format} is read back`, async () => {
    const files = withGguf(diskFiles);
    const pretrained = await Pretrained.open(golden("tiny.gguf"), files);
    const decoder = await Decoder.load(await sharedDevice(), pretrained, pretrained.config);
    const { tokenizer } = await readTokenizer(golden("tiny.gguf"), files);
    const json = JSON.parse(new TextDecoder().decode(tokenizer.json));
    const { parameters, config } = decoder;
    const written = ggufFile(config, parameters.specs.flatMap(partsOf), parameters.readPieces(), {
      format,
      name: "tiny",
      vocabulary: { ...ggufVocabulary(json, config.vocab_size, "a test"), bos: undefined },
      ids: { eos: 1, pad: 1 },
    });
    const bytes = await joinPieces(written);
    assert.equal(bytes.length % 32, 0);
    const again = withGguf(memoryFiles([{ name: "again.gguf", bytes }]));
    const found = await Pretrained.open("again.gguf", again);
    assert.deepEqual(
      { ...found.config, bos_token_id: null, eos_token_id: null, pad_token_id: null },
      { ...config, bos_token_id: null, eos_token_id: null, pad_token_id: null },
    );
    // F16 keeps 11 bits; a block of Q8_0 has steps of 1/127 of its largest number, which is below 2 here.
    const most = { F32: 0, F16: 2 ** -10, Q8_0: 2 / 127 }[format];
    for (const { name } of parameters.specs.flatMap(partsOf)) {
      const [a, b] = [(await pretrained.read(name)).data, (await found.read(name)).data];
      const worst = a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
      assert.ok(a.length === b.length && worst <= most, `${name} is off by ${worst}`);
    }
    const { tokenizer: same } = await readTokenizer("again.gguf", again);
    assert.deepEqual(read.texts.map((text) => [...same.encode(text)]), read.ids);
    decoder.destroy();
  });
}

Deno.test("a vocabulary of many tokens is written whole", async () => {
  const tokens = Array.from({ length: 20_000 }, (_, i) => `token ${i}`);
  const config = parseDecoderConfig({
    ...tinyConfig(20_000, true),
    model_type: "qwen3",
    attention_bias: false,
  });
  const written = ggufFile(config, [], (async function* () {})(), {
    format: "F16",
    name: "many",
    vocabulary: { pre: "qwen2", tokens, types: tokens.map(() => 1), merges: ["a b"], bos: 3 },
    ids: { bos: 3, eos: 1, pad: 1 },
    chatTemplate: "{{ 東京 }}",
  });
  const bytes = await joinPieces(written);
  const { metadata } = await readGgufHeader("many.gguf", memoryFiles([{ name: "many.gguf", bytes }]));
  assert.deepEqual(metadata.get("tokenizer.ggml.tokens"), tokens);
  assert.deepEqual(
    ["add_bos_token", "bos_token_id", "pre", "merges"].map((key) => metadata.get(`tokenizer.ggml.${key}`)),
    [true, 3, "qwen2", ["a b"]],
  );
  assert.equal(metadata.get("tokenizer.chat_template"), "{{ 東京 }}");
});

/** `TINY` with the first place of `text` replaced by another text of its length. */
function replaced(text: string, other: string): Uint8Array<ArrayBuffer> {
  assert.equal(text.length, other.length);
  const bytes = TINY.slice();
  const wanted = new TextEncoder().encode(text);
  const at = bytes.findIndex((_, i) => wanted.every((byte, k) => bytes[i + k] === byte));
  assert.ok(at >= 0, text);
  bytes.set(new TextEncoder().encode(other), at);
  return bytes;
}

/** `TINY` with the two lengths of a matrix in each other's place. */
function turned(name: string): Uint8Array<ArrayBuffer> {
  const bytes = replaced(name, name);
  const wanted = new TextEncoder().encode(name);
  const end = bytes.findIndex((_, i) => wanted.every((byte, k) => bytes[i + k] === byte)) + wanted.length;
  const lengths = bytes.slice(end + 4, end + 20); // behind their number
  assert.notDeepEqual(lengths.subarray(0, 8), lengths.subarray(8));
  bytes.set(lengths.subarray(8), end + 4);
  bytes.set(lengths.subarray(0, 8), end + 12);
  return bytes;
}

Deno.test("a GGUF file that is cut off, foreign or lacks something is refused in a sentence", async () => {
  const refuses = async (bytes: Uint8Array<ArrayBuffer>, message: RegExp) => {
    await assert.rejects(
      async () => {
        const files = withGguf(memoryFiles([{ name: "x.gguf", bytes }]));
        await Pretrained.open("x.gguf", files);
      },
      (error: Error) => {
        assert.ok(error instanceof UserError, error.stack!);
        assert.match(error.message, message);
        assert.match(error.message, /x\.gguf/);
        return true;
      },
    );
  };
  await refuses(new Uint8Array(), /does not begin with GGUF/);
  await refuses(new TextEncoder().encode("{}".padEnd(64)), /does not begin with GGUF/);
  await refuses(TINY.slice(0, 20), /its header goes on after byte 20\. It is cut off/);
  await refuses(TINY.slice(0, 3000), /its header goes on after byte 3000\. It is cut off/);
  await refuses(
    TINY.slice(0, -40),
    /its tensors should end at byte \d+, but the file has \d+ bytes\. It is cut off/,
  );
  const version = TINY.slice();
  version[4] = 1;
  await refuses(version, /GGUF of version 1, expected 2 or 3/);
  const turnedOver = TINY.slice();
  turnedOver.subarray(4, 8).reverse();
  await refuses(turnedOver, /it is big-endian, expected little-endian\. Convert it/);
  await refuses(replaced("token_embd.weight", "token_embx.weight"), /no token_embd\.weight, the embedding/);
  await refuses(
    replaced("blk.1.ffn_up.weight", "blk.1.ffn_ux.weight"),
    /tensor model\.layers\.1\.mlp\.up_proj\.weight is missing/,
  );
  await refuses(replaced("llama.block_count", "llama.block_couny"), /metadata llama\.block_count is missing/);
  await refuses(replaced("gpt-2", "gpt-9"), /tokenizer\.ggml\.pre is gpt-9, expected one of gpt-2, smollm/);
  await refuses(replaced("llama", "gemma"), /general\.architecture is gemma, expected one of llama, qwen2/);
  await refuses(
    turned("blk.1.ffn_down.weight"),
    /tensor model\.layers\.1\.mlp\.down_proj\.weight has shape \[(\d+),(\d+)\], expected \[\2,\1\]/,
  );
  await refuses(replaced("gpt2", "bert"), /its tokenizer is of kind bert/);
  // Random bytes at any place give a model or a sentence, never a stack.
  for (let at = 24; at < 6000; at += 97) {
    const bytes = TINY.slice();
    bytes[at] ^= 0xa5;
    await Pretrained.open("x.gguf", withGguf(memoryFiles([{ name: "x.gguf", bytes }]))).catch((error) =>
      assert.ok(error instanceof UserError, `byte ${at}: ${error.stack}`)
    );
  }
});
