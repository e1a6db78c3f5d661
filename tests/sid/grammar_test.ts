import assert from "node:assert/strict";
import { sidGrammar } from "../../sid/grammar.ts";

Deno.test("a grammar of semantic IDs has a rule for each first token, and each ID once", () => {
  const sids = [["<a_1>", "<b_2>", "<c_3>"], ["<a_1>", "<b_2>", "<c_4>"], ["<a_7>", "<b_2>"], [
    "<a_1>",
    "<b_5>",
  ], [
    "<a_7>",
    "<b_2>",
  ]];
  assert.equal(
    sidGrammar(sids),
    'root ::= sid-0 | sid-1\nsid-0 ::= "<a_1>" ("<b_2>" ("<c_3>" | "<c_4>") | "<b_5>")\nsid-1 ::= "<a_7>" "<b_2>"\n',
  );
  assert.equal(sidGrammar([['a"\\\n']]), 'root ::= sid-0\nsid-0 ::= "a\\"\\\\\\n"\n');
});
