// What transformers made of generated directories, and what genrec makes of them: see tests/golden/directories/.
import assert from "node:assert/strict";
import { diskFiles } from "../../../base/files/disk.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { writeSafetensors } from "../../../models/safetensors/safetensors.ts";
import type { StoredFormat } from "../../../models/safetensors/header.ts";
import { specialTokens } from "../../../models/tokenizer/config.ts";
import { readTokenizer } from "../../../models/tokenizer/from_folder.ts";

interface Case {
  number: number;
  /** Contents as JSON, or text that is none. */
  files: Record<string, unknown>;
  /** Where `tokenizer.json` differs from the plain one. */
  tokenizer: Record<string, unknown>;
  /** Files, and the stored tensor of each of their tensors. */
  weights: Record<string, Record<string, string>>;
  dtype: StoredFormat;
  pickled: boolean;
  model: { error?: string; missing?: string[]; tied: boolean; unexpected: string[]; logits: number[] };
  read: {
    error?: string;
    length: number;
    ids: number[][];
    bos: number | null;
    eos: number | null;
    pad: number | null;
  };
}

interface Golden {
  prompt: number[];
  texts: string[];
  tokenizer: Record<string, unknown>;
  tensors: Record<string, { shape: number[]; sixtyfourths: string }>;
  cases: Case[];
}

const file = Deno.env.get("GENREC_DIRECTORIES") ??
  new URL("../../golden/directories/directories.json", import.meta.url);
const golden: Golden = JSON.parse(await Deno.readTextFile(file));

function tensorOf(name: string) {
  const { shape, sixtyfourths } = golden.tensors[name];
  const bytes = new Int8Array(Uint8Array.fromBase64(sixtyfourths).buffer);
  return { shape, data: Float32Array.from(bytes, (value) => value / 64) };
}

async function withDirectory(
  { files, tokenizer, weights, dtype, pickled }: Case,
  work: (folder: string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    const all = { ...files, "tokenizer.json": { ...golden.tokenizer, ...tokenizer } };
    for (const [name, content] of Object.entries(all)) {
      await Deno.writeTextFile(
        `${folder}/${name}`,
        typeof content === "string" ? content : JSON.stringify(content),
      );
    }
    for (const [name, stored] of Object.entries(weights)) {
      const tensors = new Map(Object.entries(stored).map(([tensor, key]) => [tensor, tensorOf(key)]));
      await Deno.writeFile(`${folder}/${name}`, writeSafetensors(tensors, { dtype }));
    }
    if (pickled) await Deno.writeFile(`${folder}/pytorch_model.bin`, new Uint8Array(8));
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every seventh logit after the prompt. */
async function logitsOf(device: Device, pretrained: Pretrained): Promise<number[]> {
  const decoder = await Decoder.load(device, pretrained, pretrained.config);
  const session = decoder.start([Uint32Array.from(golden.prompt)], 1, 1);
  try {
    const [logits] = await device.scope(() => device.read(decoder.logits(session.hidden)));
    return [...logits.slice(0, pretrained.config.vocab_size)].filter((_, token) => token % 7 === 0);
  } finally {
    session.close();
    decoder.destroy();
  }
}

Deno.test("a directory's weights are those that transformers loads, or are refused with the reason", async (test) => {
  const device = await Device.open();
  for (const directory of golden.cases) {
    const { number, model } = directory;
    await test.step(`directory ${number}`, () =>
      withDirectory(directory, async (folder) => {
        let pretrained: Pretrained;
        let logits: number[];
        try {
          pretrained = await Pretrained.open(folder, diskFiles);
          logits = await logitsOf(device, pretrained);
        } catch (error) {
          if ((error as Error).name !== "UserError") throw error;
          // What transformers can read and genrec does not: it says what to do instead.
          if (model.logits !== undefined) assert.match((error as Error).message, /adapter|pickle/);
          return;
        }
        assert.equal(model.error, undefined);
        if (model.missing !== undefined) {
          // transformers would make these weights up; a wrapper's names explain them.
          assert.match(pretrained.notes.join(), /wrapped model/);
          return;
        }
        assert.equal(pretrained.config.tie_word_embeddings, model.tied);
        // It names all but buffers that it knows from its own past.
        const unread = pretrained.notes.find((note) => /not read/.test(note)) ?? "";
        for (const name of model.unexpected) assert.ok(unread.includes(name), `${name} is not told of`);
        assert.equal(logits.length, model.logits.length);
        logits.forEach((logit, at) =>
          assert.ok(
            Math.abs(logit - model.logits[at]) < 1e-3,
            `logit ${at} is ${logit}, not ${model.logits[at]}`,
          )
        );
      }));
  }
});

Deno.test("a directory's tokens have the ids and flags that transformers gives them, wherever they stand", async (test) => {
  for (const directory of golden.cases) {
    const { number, read } = directory;
    if (read.error !== undefined) continue;
    await test.step(`directory ${number}`, () =>
      withDirectory(directory, async (folder) => {
        const { tokenizer, tokenizerConfig } = await readTokenizer(folder, diskFiles);
        assert.equal(tokenizer.vocabulary, read.length);
        for (const [i, text] of golden.texts.entries()) {
          const ids = [...tokenizer.encode(text, { addSpecialTokens: false })];
          assert.deepEqual(ids, read.ids[i], JSON.stringify(text));
        }
        const idOf = (role: string) => {
          const token = tokenizerConfig[`${role}_token`];
          return typeof token === "string" ? tokenizer.idOf(token) ?? null : null;
        };
        assert.deepEqual([idOf("bos"), idOf("eos"), idOf("pad")], [read.bos, read.eos, read.pad]);
        if (read.eos !== null) assert.equal(specialTokens(tokenizer, tokenizerConfig).eos, read.eos);
      }));
  }
});
