import assert from "node:assert/strict";
import { Tokenizer } from "../../models/tokenizer.ts";
import { realData } from "../data/real_data.ts";
import fc from "../property.ts";

interface Golden {
  text: string;
  ids: number[];
}

const golden = (path: string) => new URL(`../golden/${path}`, import.meta.url);
const readJson = async (path: string) => JSON.parse(await Deno.readTextFile(golden(path))) as Golden[];

async function tiny(family: "qwen2" | "qwen3"): Promise<Tokenizer> {
  return new Tokenizer(await Deno.readFile(golden(`${family}_embedding/tokenizer.json`)));
}

for (const family of ["qwen2", "qwen3"] as const) {
  Deno.test(`ids equal transformers' of a small byte-level tokenizer, ${family}`, async () => {
    const tokenizer = await tiny(family);
    for (const { text, ids } of await readJson(`${family}_embedding/golden.json`)) {
      assert.deepEqual([...tokenizer.encode(text)], ids, text);
    }
  });
}

const qwen = realData("qwen2.5-tokenizer");
Deno.test({
  name: "ids equal transformers' of Qwen2.5 on texts that are easy to get wrong",
  ignore: qwen === undefined,
  async fn() {
    const tokenizer = new Tokenizer(await Deno.readFile(`${qwen}/tokenizer.json`));
    assert.equal(tokenizer.vocabulary, 151665);
    assert.equal(tokenizer.idOf("<|endoftext|>"), 151643);
    for (const { text, ids } of await readJson("qwen2.5_tokenizer.json")) {
      assert.deepEqual([...tokenizer.encode(text)], ids, text);
    }
  },
});

Deno.test("a text cut to a length keeps the tokens that the tokenizer puts around it", async () => {
  const tokenizer = await tiny("qwen3");
  const end = tokenizer.idOf("<|endoftext|>")!;
  assert.deepEqual([tokenizer.prefix, tokenizer.suffix], [[], [end]]);
  const whole = tokenizer.encode("stainless steel hex bolt");
  assert.equal(whole.at(-1), end);
  assert.deepEqual([...tokenizer.encode("stainless steel hex bolt", { maxLength: 5 })], [
    ...whole.slice(0, 4),
    end,
  ]);
  assert.throws(() => tokenizer.encode("bolt", { maxLength: 0 }), RangeError);
});

Deno.test("decode() gives the text back, whatever it holds", async () => {
  const tokenizer = await tiny("qwen2");
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
    const composed = text.normalize("NFC"); // as the tokenizer does first
    assert.equal(tokenizer.decode(tokenizer.encode(text)), composed);
  }));
});

Deno.test("special tokens are decoded on demand", async () => {
  const tokenizer = await tiny("qwen3");
  const ids = tokenizer.encode("hex nut");
  assert.equal(tokenizer.decode(ids), "hex nut");
  assert.equal(tokenizer.decode(ids, true), "hex nut<|endoftext|>");
});

Deno.test("a file that is no tokenizer is named", () => {
  for (const text of ["{", "{}", "[1]", '{"model": {"type": "Unheard"}}']) {
    assert.throws(() => new Tokenizer(new TextEncoder().encode(text), "m/tokenizer.json"), {
      name: "UserError",
      message: /^Cannot read m\/tokenizer.json: /,
    }, text);
  }
});
