import assert from "node:assert/strict";
import { formatSid, formatToken, parseToken, SidVocabulary } from "../../sid/tokens.ts";
import fc from "../property.ts";

const sids = [["<a_2>", "<b_0>", "<c_7>"], ["<a_10>", "<b_0>", "<c_7>", "<d_1>"], [
  "<a_1>",
  "<b_3>",
  "<c_7>",
]];

Deno.test("parseToken() reads level and codeword", () => {
  assert.deepEqual(parseToken("<a_12>"), { level: 0, codeword: 12 });
  assert.deepEqual(parseToken("<d_0>"), { level: 3, codeword: 0 });
});

Deno.test("parseToken() refuses other forms and names the token", () => {
  for (const token of ["a_1", "<a_>", "<a_01>", "<a_-1>", "<aa_1>", "<A_1>", "<a_1> ", ""]) {
    assert.throws(() => parseToken(token), (error: Error) => error.message.includes(JSON.stringify(token)));
  }
});

Deno.test("formatToken() is the inverse of parseToken()", () => {
  fc.assert(fc.property(fc.nat(25), fc.nat(100000), (level, codeword) => {
    assert.deepEqual(parseToken(formatToken({ level, codeword })), { level, codeword });
  }));
  assert.throws(() => formatToken({ level: 26, codeword: 0 }), /level is 26/);
  assert.throws(() => formatToken({ level: 0, codeword: 1.5 }), /codeword is 1.5/);
});

Deno.test("formatSid() names the levels in order", () => {
  assert.deepEqual(formatSid(Int32Array.of(3, 0, 255)), ["<a_3>", "<b_0>", "<c_255>"]);
});

Deno.test("SidVocabulary puts special tokens first and sorts the rest by code unit", () => {
  const vocabulary = SidVocabulary.fromSids(sids);
  assert.equal(vocabulary.size, 10);
  assert.equal(vocabulary.levels, 4);
  assert.deepEqual(
    vocabulary.decode([vocabulary.padId, vocabulary.bosId, vocabulary.eosId, 3, 4, 5, 6, 7, 8, 9]),
    ["<pad>", "<bos>", "<eos>", "<a_10>", "<a_1>", "<a_2>", "<b_0>", "<b_3>", "<c_7>", "<d_1>"],
  );
  assert.deepEqual([...vocabulary.encode(sids[1])], [3, 6, 8, 9]);
  assert.deepEqual([2, 3, 9, 10].map((id) => vocabulary.isSidToken(id)), [false, true, true, false]);
});

Deno.test("SidVocabulary decodes what it encodes, also after a round trip through JSON", () => {
  const vocabulary = SidVocabulary.fromJSON(JSON.parse(JSON.stringify(SidVocabulary.fromSids(sids))));
  for (const sid of sids) assert.deepEqual(vocabulary.decode(vocabulary.encode(sid)), sid);
  assert.deepEqual(vocabulary.encodeAll(sids), sids.map((sid) => vocabulary.encode(sid)));
  assert.equal(vocabulary.size, 10);
});

Deno.test("SidVocabulary names a token or id that it does not have", () => {
  const vocabulary = SidVocabulary.fromSids(sids);
  assert.throws(() => vocabulary.encode(["<a_2>", "<b_9>"]), /Cannot encode token "<b_9>"/);
  assert.throws(() => vocabulary.tokenString(10), /id 10: expected 0\.\.9/);
});

Deno.test("SidVocabulary.fromSids() refuses a token whose letter is not its place, and an empty index", () => {
  assert.throws(
    () => SidVocabulary.fromSids([["<a_1>", "<a_1>"]]),
    /SID of item 0: token 2 is <a_1>, expected a token of level b/,
  );
  assert.throws(() => SidVocabulary.fromSids([]), /holds no tokens/);
});

Deno.test("SidVocabulary.fromJSON() refuses other shapes, unsorted and repeated tokens", () => {
  const specialTokens = ["<pad>", "<bos>", "<eos>"];
  assert.throws(
    () => SidVocabulary.fromJSON({ specialTokens: ["<bos>"], sidTokens: ["<a_1>"] }),
    /specialTokens/,
  );
  assert.throws(() => SidVocabulary.fromJSON({ specialTokens, sidTokens: [] }), /sidTokens/);
  assert.throws(
    () => SidVocabulary.fromJSON({ specialTokens, sidTokens: ["<a_1>", "<a_10>"] }),
    /<a_10> follows <a_1>/,
  );
  assert.throws(() => SidVocabulary.fromJSON({ specialTokens, sidTokens: ["<a_1>", "<a_1>"] }), /each once/);
});
