import assert from "node:assert/strict";
import { legalAnswers } from "../../../bench/parity/gguf_answers.ts";

Deno.test("answers are counted: those that are no SID, and SIDs in other tokens than their own", () => {
  const texts = [["<a_1>", "<b_2>"], ["<a_1>", "<b_3>", "<c_0>"]];
  const tokens = [[10, 12], [10, 13, 15]];
  const answer = (text: string, ...tokens: number[]) => ({ text, tokens });
  const own = answer("<a_1><b_2>", 10, 12), spelled = answer("<a_1><b_2>", 10, 7, 8, 9);
  assert.deepEqual(legalAnswers([own, spelled], texts, tokens), { all: 2, illegal: 0, spelled: 1 });
  const cut = answer("<a_1><b_3>", 10, 13), longer = answer("<a_1><b_2> ", 10, 12, 3);
  assert.deepEqual(legalAnswers([cut, own, longer], texts, tokens), { all: 3, illegal: 2, spelled: 0 });
});
