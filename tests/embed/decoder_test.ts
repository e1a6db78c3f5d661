import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { diskFiles, type ReadFiles } from "../../base/files/disk.ts";
import { Device } from "../../kernels/gpu/device.ts";
import type { Layout } from "../../kernels/gpu/tensor.ts";
import { decoderProvider } from "../../embed/decoder.ts";
import type { Pooling, SentenceConfig } from "../../embed/text/sentence_model.ts";

interface Golden {
  text: string;
  ids: number[];
  pooled: Record<Pooling, number[]>;
  /** Of the text cut to 16 tokens. */
  truncated: Record<Pooling, number[]>;
}

const folderOf = (family: string) =>
  fileURLToPath(new URL(`../golden/embedding/${family}_embedding`, import.meta.url));
const readGolden = async (family: string): Promise<Golden[]> =>
  JSON.parse(await Deno.readTextFile(`${folderOf(family)}/golden.json`));
const golden = { qwen2: await readGolden("qwen2"), qwen3: await readGolden("qwen3") };

const defaults: SentenceConfig = {
  model: "",
  pooling: "auto",
  normalize: false,
  prefix: "",
  batchTokens: 8192,
};

// Shared by all tests: pipelines are compiled once.
const devices: Record<Layout, Device> = {
  texture: await Device.open({ layout: "texture" }),
  buffer: await Device.open({ layout: "buffer" }),
};

/** Opens the provider on a golden directory, some of whose files are replaced. */
async function open(
  family: string,
  settings: Partial<SentenceConfig> = {},
  replaced: Record<string, string | undefined> = {},
  layout: Layout = "texture",
) {
  const model = folderOf(family);
  const encode = (text: string) => new TextEncoder().encode(text);
  const files: ReadFiles = {
    ...diskFiles,
    readFile(path) {
      const text = replaced[path.slice(model.length + 1)];
      return text === undefined ? diskFiles.readFile(path) : Promise.resolve(encode(text));
    },
    async listFiles(path) {
      const names = new Set([...await diskFiles.listFiles(path), ...Object.keys(replaced)]);
      return [...names].filter((name) => !(name in replaced && replaced[name] === undefined)).sort();
    },
  };
  const context = { ...files, device: () => Promise.resolve(devices[layout]) };
  return await decoderProvider.open(context, { ...defaults, model, ...settings });
}

function assertClose(actual: Float32Array, expected: number[], what: string) {
  assert.equal(actual.length, expected.length, what);
  expected.forEach((value, i) =>
    assert.ok(Math.abs(actual[i] - value) < 1e-4, `${what}[${i}] is ${actual[i]}, expected ${value}`)
  );
}

const texts = golden.qwen2.map(({ text }) => text);
const row = (vectors: Float32Array, dim: number, at: number) => vectors.subarray(at * dim, (at + 1) * dim);

for (const layout of ["texture", "buffer"] as const) {
  for (const family of ["qwen2", "qwen3"] as const) {
    for (const pooling of ["mean", "last", "cls"] as const) {
      Deno.test(`text embeddings equal transformers' ${family}, ${pooling}, ${layout}`, async () => {
        const whole = await open(family, { pooling }, {}, layout);
        assert.equal(whole.dim, 32);
        const vectors = await whole.embed(texts);
        const cut = await open(family, { pooling, maxLength: 16, batchTokens: 20 }, {}, layout);
        const truncated = await cut.embed(texts);
        golden[family].forEach((expected, at) => {
          assertClose(row(vectors, 32, at), expected.pooled[pooling], `text ${at}`);
          assertClose(row(truncated, 32, at), expected.truncated[pooling], `text ${at}, cut to 16 tokens`);
        });
        whole.close();
        cut.close();
      });
    }
  }
}

Deno.test("vectors are pooled as the directory says, scaled to length 1, of the text after the prefix", async () => {
  const pooling = {
    "modules.json": JSON.stringify([{ type: "sentence_transformers.models.Pooling", path: "1_Pooling" }]),
    "1_Pooling/config.json": JSON.stringify({ pooling_mode_lasttoken: true }),
  };
  const { text, pooled: { last } } = golden.qwen3[0];
  const [prefix, rest] = [text.slice(0, 16), text.slice(16)];
  const embedder = await open("qwen3", { prefix, normalize: true }, pooling);
  const norm = Math.hypot(...last);
  assertClose(await embedder.embed([rest]), last.map((value) => value / norm), "text 0");
  embedder.close();
});

Deno.test("embedding again gives the same bytes and takes no more memory, and closing gives it back", async () => {
  const device = devices.buffer;
  const before = device.memory.buffers + device.memory.textures;
  const embedder = await open("qwen2", { batchTokens: 40 }, {}, "buffer");
  const progress: [number, number][] = [];
  const first = await embedder.embed(texts, (done, total) => progress.push([done, total]));
  assert.deepEqual(progress.at(-1), [texts.length, texts.length]);
  assert.ok(progress.length > 1);
  const peak = device.memory.peak;
  assert.deepEqual(await embedder.embed(texts), first);
  assert.equal(device.memory.peak, peak);
  embedder.close();
  assert.equal(device.memory.buffers + device.memory.textures, before);
});

const config = JSON.parse(await Deno.readTextFile(`${folderOf("qwen3")}/config.json`));
// Its later ids are a hundred higher than those of the model.
const otherTokenizer = (await Deno.readTextFile(`${folderOf("qwen3")}/tokenizer.json`))
  .replace(/: 2(?=[6-9]\d,?\n)/g, ": 3");
const refusals: [string, RegExp, Partial<SentenceConfig>, Record<string, string | undefined>][] = [
  ["no model is named", /^Cannot use provider decoder without a model\..*--model DIR$/, { model: "" }, {}],
  ["there is no config.json", /it has no config\.json\. Expected a Hugging Face directory/, {}, {
    "config.json": undefined,
  }],
  ["the architecture is another", /field model_type is "bert"/, {}, {
    "config.json": JSON.stringify({ ...config, model_type: "bert" }),
  }],
  ["attention looks ahead", /field is_causal is false/, {}, {
    "config.json": JSON.stringify({ ...config, is_causal: false }),
  }],
  [
    "a tensor has another shape",
    /tensor model\.layers\.0\.self_attn\.q_proj\.weight has shape \[64,32\], expected \[32,32\]/,
    {},
    {
      "config.json": JSON.stringify({ ...config, num_attention_heads: 2 }),
    },
  ],
  ["a layer is missing", /tensor model\.layers\.2\.self_attn\.q_proj\.weight is missing/, {}, {
    "config.json": JSON.stringify({ ...config, num_hidden_layers: 3, layer_types: null }),
  }],
  ["the tokenizer is no tokenizer", /tokenizer\.json: /, {}, { "tokenizer.json": "{}" }],
  [
    "the vocabulary is another",
    /tensor model\.embed_tokens\.weight has shape \[300,32\], expected \[260,32\]/,
    {},
    {
      "config.json": JSON.stringify({ ...config, vocab_size: 260 }),
    },
  ],
  ["the tokenizer belongs to another model", /its tokenizer gives id 3\d\d, its model has 300 tokens/, {}, {
    "tokenizer.json": otherTokenizer,
  }],
  ["the length leaves no room for text", /Cannot cut texts to 1 tokens: 1 of them are special/, {
    maxLength: 1,
  }, {}],
  ["the length is beyond the positions", /Use --max-length 256 or less$/, { maxLength: 257 }, {}],
];
for (const [what, message, settings, replaced] of refusals) {
  Deno.test(`embedding is refused where ${what}`, async () => {
    await assert.rejects(
      async () => {
        const embedder = await open("qwen3", settings, replaced);
        await embedder.embed(texts);
      },
      { name: "UserError", message },
    );
  });
}

Deno.test("a text without tokens is named", async () => {
  const embedder = await open("qwen2");
  await assert.rejects(embedder.embed(["bolt", ""]), {
    name: "UserError",
    message: /^Cannot embed the text ""/,
  });
  embedder.close();
});
