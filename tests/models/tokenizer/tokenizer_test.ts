import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { realData } from "../../data/downloaded.ts";
import fc from "../../property.ts";

interface Golden {
  text: string;
  ids: number[];
}

const golden = (path: string) => new URL(`../../golden/${path}`, import.meta.url);
const readJson = async (path: string) => JSON.parse(await Deno.readTextFile(golden(path))) as Golden[];

async function tiny(family: "qwen2" | "qwen3"): Promise<Tokenizer> {
  return new Tokenizer(await Deno.readFile(golden(`embedding/${family}_embedding/tokenizer.json`)));
}

for (const family of ["qwen2", "qwen3"] as const) {
  Deno.test(`ids equal transformers' of a small byte-level tokenizer, ${family}`, async () => {
    const tokenizer = await tiny(family);
    for (const { text, ids } of await readJson(`embedding/${family}_embedding/golden.json`)) {
      assert.deepEqual([...tokenizer.encode(text)], ids, text);
    }
  });
}

const SID_TOKENS = ["<b_3>", "<a_12>", "<a_1>", "<a_120>", "<c_255>", "<c_0>"];

/** Against transformers' ids; the hash says that it read what withTokens() writes. */
async function checkExtended(tokenizer: Tokenizer, name: "tiny" | "qwen2.5") {
  const { sha256: hash, length, cases } =
    JSON.parse(await Deno.readTextFile(golden("tokenizer/sid_tokenizer.json")))[name];
  const extended = tokenizer.withTokens(SID_TOKENS);
  assert.equal(createHash("sha256").update(extended.json).digest("hex"), hash);
  assert.equal(extended.vocabulary, length);
  for (const { text, ids } of cases as Golden[]) assert.deepEqual([...extended.encode(text)], ids, text);
}

Deno.test("SID tokens become ordinary tokens after all others, sorted by code unit, as transformers reads them", async () => {
  const tokenizer = await tiny("qwen2");
  await checkExtended(tokenizer, "tiny");
  const extended = tokenizer.withTokens(SID_TOKENS);
  const ids = ["<a_120>", "<a_12>", "<a_1>", "<b_3>", "<c_0>", "<c_255>"].map((token) =>
    extended.idOf(token)
  );
  assert.deepEqual(ids, [0, 1, 2, 3, 4, 5].map((i) => tokenizer.vocabulary + i));
  assert.equal(extended.decode(extended.encode("<a_1><b_3> bolt")), "<a_1><b_3> bolt");
  const again = extended.withTokens(["<c_0>", "<a_2>"]);
  assert.equal(again.vocabulary, extended.vocabulary + 1);
  assert.equal(again.idOf("<a_2>"), extended.vocabulary);
  assert.equal(again.idOf("<c_0>"), extended.idOf("<c_0>"));
});

Deno.test("words encoded once and kept give the ids of the library, added tokens among them or not", async () => {
  const tokenizer = (await tiny("qwen2")).withTokens(SID_TOKENS);
  const library = new HuggingFaceTokenizer(JSON.parse(new TextDecoder().decode(tokenizer.json)), {});
  const piece = fc.oneof(
    fc.constantFrom(
      ...SID_TOKENS,
      "<a_",
      "12>",
      "<|endoftext|>",
      " ",
      "\n",
      "  ",
      "\u0338",
      "'s",
      "n'T",
      ")\n",
      "7",
    ),
    fc.string({ unit: "grapheme", maxLength: 6 }),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const text = pieces.join("");
    const { ids } = library.encode(text, { add_special_tokens: false });
    assert.deepEqual([...tokenizer.encode(text)], ids);
  }));
});

Deno.test("tokens that swallow spaces, and other splitting than by words, go through the library", async () => {
  const json = JSON.parse(new TextDecoder().decode((await tiny("qwen2")).json));
  const mask = { id: 300, content: "<mask>", lstrip: true, rstrip: false, normalized: false, special: true };
  const variants = [
    { ...json, added_tokens: [...json.added_tokens, mask] },
    { ...json, pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, use_regex: true } },
    { ...json, pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first" } },
  ];
  for (const variant of variants) {
    const tokenizer = new Tokenizer(new TextEncoder().encode(JSON.stringify(variant))).withTokens(SID_TOKENS);
    const library = new HuggingFaceTokenizer(JSON.parse(new TextDecoder().decode(tokenizer.json)), {});
    for (const text of ["hex bolt <mask> nut", "<a_1>hex<b_3> bolt <c_0>", "hex  <a_12>"]) {
      const { ids } = library.encode(text, { add_special_tokens: false });
      assert.deepEqual([...tokenizer.encode(text)], ids.filter((id) => id !== undefined), text);
    }
  }
});

const qwen = realData("qwen2.5-tokenizer");
Deno.test({
  name: "ids equal transformers' of Qwen2.5 on texts that are easy to get wrong",
  ignore: qwen === undefined,
  async fn() {
    const tokenizer = new Tokenizer(await Deno.readFile(`${qwen}/tokenizer.json`));
    assert.equal(tokenizer.vocabulary, 151665);
    await checkExtended(tokenizer, "qwen2.5");
    assert.equal(tokenizer.idOf("<|endoftext|>"), 151643);
    for (const { text, ids } of await readJson("embedding/qwen2.5_tokenizer.json")) {
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

Deno.test("a token whose id is none, or that of another, is named", async () => {
  const json = JSON.parse(
    await Deno.readTextFile(golden("embedding/qwen2_embedding/tokenizer.json")),
  );
  const [first] = Object.keys(json.model.vocab);
  for (
    const [id, expected] of [
      [-1, "a whole number from 0, found -1"],
      [1.5, "a whole number from 0, found 1.5"],
      ["7", 'a whole number from 0, found "7"'],
      [
        json.model.vocab[first],
        `an id that is not that of ${JSON.stringify(first)}, found ${json.model.vocab[first]}`,
      ],
    ]
  ) {
    const vocab = { ...json.model.vocab, zz: id };
    const bytes = new TextEncoder().encode(JSON.stringify({ ...json, model: { ...json.model, vocab } }));
    assert.throws(() => new Tokenizer(bytes, "m/tokenizer.json"), {
      name: "UserError",
      message:
        `Cannot read m/tokenizer.json at ["model"]["vocab"]["zz"]: expected ${expected}. Fetch the file again`,
    });
  }
});
