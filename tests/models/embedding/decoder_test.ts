import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { diskFiles, type ReadFiles } from "../../../data/read_files.ts";
import { Device } from "../../../kernels/device.ts";
import type { Layout } from "../../../kernels/tensor.ts";
import { decoderProvider } from "../../../models/embedding/decoder.ts";
import type { Pooling, SentenceConfig } from "../../../models/embedding/sentence_model.ts";

interface Golden {
  text: string;
  ids: number[];
  pooled: Record<Pooling, number[]>;
  /** Of the text cut to 16 tokens. */
  truncated: Record<Pooling, number[]>;
}

const folderOf = (family: string) =>
  fileURLToPath(new URL(`../../golden/${family}_embedding`, import.meta.url));
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

/** Opens the provider on a golden directory, some of whose files are replaced. */
async function open(
  family: string,
  settings: Partial<SentenceConfig> = {},
  replaced: Record<string, string | undefined> = {},
  layout?: Layout,
) {
  const model = folderOf(family);
  const device = await Device.open({ layout });
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
  const context = { ...files, device: () => Promise.resolve(device) };
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
