import assert from "node:assert/strict";
import { endlessReason } from "../../../models/tokenizer/pattern_cost.ts";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
/** Patterns of tokenizers that people use. */
const USED = {
  "GPT-2": String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  Qwen: CONTRACTIONS +
    String.raw`|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  "GPT-4o": String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` +
    CONTRACTIONS + String.raw`?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  DeepSeek: String
    .raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${"`"}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*`,
  BLOOM: String.raw` ?[^(\s|[.,!?…。，、।۔،])]+`,
  "digits from the right": String.raw`\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))`,
  "runs of spaces": " {2,}",
  "words with one space each": String.raw`(?:\w+\s)+`,
  "atomic": String.raw`(?>\w+)+`,
};

const ENDLESS = [
  String.raw`(\w+)+$`,
  String.raw`(\w+\s?)*$`,
  "(a|aa)+$",
  "(?:a|a)*b",
  "(.*)*x",
  "(a*)*",
  "((a*)b*)*c",
  "(x+x+)+y",
  "(a{1,20}){1,20}b",
  "(?i:[a-z]+)+$",
  "(?=([a-z]+)*$)x",
  String.raw`(?:\p{L}+'?)+!`,
  String.raw`\s*\s*\s*x`,
];

Deno.test("patterns of known tokenizers, and repetitions that are told apart, pass", () => {
  for (const [name, pattern] of Object.entries(USED)) assert.equal(endlessReason(pattern), undefined, name);
});

Deno.test("patterns that could be matched without end are found, wherever the repetition stands", () => {
  for (const pattern of ENDLESS) {
    assert.match(endlessReason(pattern) ?? "nothing", /may match the same/, pattern);
  }
});

Deno.test("a tokenizer.json with an endless pattern is refused before any text is read", async () => {
  const path = new URL("../../golden/embedding/qwen2_embedding/tokenizer.json", import.meta.url);
  const json = JSON.parse(await Deno.readTextFile(path));
  const pattern = { Regex: String.raw`(\w+)+$` };
  const changes = [
    { pre_tokenizer: { type: "Split", pattern, behavior: "Isolated", invert: false } },
    { normalizer: { type: "Sequence", normalizers: [{ type: "Replace", pattern, content: "" }] } },
  ];
  for (const change of changes) {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...json, ...change }));
    assert.throws(() => new Tokenizer(bytes, "m/tokenizer.json"), {
      name: "UserError",
      message:
        /^Cannot read m\/tokenizer\.json: matching its pattern \(\\w\+\)\+\$ could go on without end, since a /,
    });
  }
});
