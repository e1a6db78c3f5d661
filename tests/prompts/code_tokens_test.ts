import assert from "node:assert/strict";
import { UserError } from "../../base/user_error.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";

Deno.test("CodeTokens gives each level ids of its own, after the start token", () => {
  const tokens = new CodeTokens([[2, 0, 1], [0, 4], [1, 1, 0]], { maxHistory: 2 });
  assert.deepEqual(tokens.sizes, [3, 5, 2]);
  assert.deepEqual([tokens.vocabulary, tokens.longest], [11, 3]);
  assert.deepEqual(tokens.itemTokens.map((ids) => [...ids]), [[3, 4, 10], [1, 8], [2, 5, 9]]);
  assert.deepEqual([...tokens.prompt([0, 1, 2])], [1, 8, 2, 5, 9]);
  assert.deepEqual([...tokens.prompt([])], [0]);
});

Deno.test("CodeTokens reads token strings, with room for codewords that do not occur", () => {
  const tokens = CodeTokens.fromSids([["<a_1>", "<b_0>"]], { maxHistory: 5, sizes: [4, 4] });
  assert.deepEqual([...tokens.itemTokens[0]], [2, 5]);
  assert.equal(tokens.vocabulary, 9);
});

Deno.test("CodeTokens refuses codewords without room and tokens out of place", () => {
  const refused = (make: () => CodeTokens, message: RegExp) =>
    assert.throws(make, (error) => error instanceof UserError && message.test(error.message));
  refused(
    () => new CodeTokens([[0], [3]], { maxHistory: 1, sizes: [3] }),
    /item 1: codeword 3 of level 1, expected one of 3/,
  );
  refused(
    () => new CodeTokens([[0, 0]], { maxHistory: 1, sizes: [3] }),
    /codeword 0 of level 2, expected one of 0/,
  );
  refused(
    () => CodeTokens.fromSids([["<b_0>"]], { maxHistory: 1 }),
    /token 1 is <b_0>, of level 2; expected one of level 1/,
  );
});
