import assert from "node:assert/strict";
import { AddedTokens, TEXT_MARK, textMarker } from "../../../models/tokenizer/added_tokens.ts";
import { AddedToken } from "../../../models/tokenizer/schema.ts";

const token = (id: number, content: string, flags: Partial<AddedToken> = {}) =>
  AddedToken.parse({ id, content, ...flags });
const lower = (text: string) => text.toLowerCase();

/** Parts as a list: ids as numbers, text as text. */
function parts(tokens: AddedToken[], text: string, normalize = (text: string) => text) {
  return new AddedTokens(tokens, normalize).split(text).map((part) => "id" in part ? part.id : part.text);
}

Deno.test("AddedTokens finds the longest token at each place from the left", () => {
  const tokens = [token(1, "<a_1>"), token(2, "<a_1"), token(3, "a_1>")];
  assert.deepEqual(parts(tokens, "x<a_1>y<a_12"), ["x", 1, "y", 2, "2"]);
});

Deno.test("AddedTokens takes a single_word token only where no letter, mark, digit or underscore touches it", () => {
  const tokens = [token(1, "ab", { single_word: true })];
  assert.deepEqual(parts(tokens, "ab"), [1]);
  assert.deepEqual(parts(tokens, "cab ab, abc (ab)"), ["cab ", 1, ", abc (", 1, ")"]);
  for (const word of ["é", "中", "7", "_", "\u0301", "𝒳"]) {
    assert.deepEqual(parts(tokens, `${word}ab`), [`${word}ab`]);
    assert.deepEqual(parts(tokens, `ab${word}`), [`ab${word}`]);
  }
  // What is no word: a space of Unicode that JavaScript's \s lacks, an emoji.
  for (const other of ["\u0085", "😀", "-"]) assert.deepEqual(parts(tokens, `${other}ab`), [other, 1]);
});

Deno.test("AddedTokens gives lstrip and rstrip the White_Space of Unicode: U+0085, but not U+FEFF", () => {
  const tokens = [token(1, "<m>", { lstrip: true }), token(2, "<r>", { rstrip: true })];
  assert.deepEqual(parts(tokens, "a \u0085\u3000<m> b"), ["a", 1, " b"]);
  assert.deepEqual(parts(tokens, "a <r> \u0085\n\u2028b"), ["a ", 2, "b"]);
  assert.deepEqual(parts(tokens, "a\ufeff<m><r>\ufeff"), ["a\ufeff", 1, 2, "\ufeff"]);
  // The token before has taken the spaces already.
  assert.deepEqual(parts(tokens, "<r>  <m>x"), [2, 1, "x"]);
});

Deno.test("AddedTokens looks for normalized tokens in normalised text, after all others", () => {
  const tokens = [token(1, "AB", { normalized: true }), token(2, "BC")];
  assert.deepEqual(parts(tokens, "xABC", lower), ["xa", 2]);
  assert.deepEqual(parts(tokens, "XaB", lower), ["x", 1]);
});

Deno.test("textMarker() turns special tokens and those named into text, which encoding reads without the mark", () => {
  const tokens = [token(1, "</s>", { special: true }), token(2, "<a>"), token(3, "  ")];
  const mark = textMarker(tokens, ["<a>"]);
  assert.equal(mark("a  plain title"), "a  plain title");
  assert.equal(mark("x</s>"), `x${TEXT_MARK}</s>`);
  assert.deepEqual(parts(tokens, mark("x</s></s>  <a>") + "</s>"), ["x</s></s>", 3, "<a>", 1]);
  assert.deepEqual(parts(tokens, mark(`x${TEXT_MARK}</s>`)), ["x</s>"]);
});
