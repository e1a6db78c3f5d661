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
  const ids = sids.map((sid) => sid.map((token) => Number(token[3])));
  assert.equal(
    sidGrammar(ids),
    "root ::= sid-0 | sid-1\nsid-0 ::= <[1]> (<[2]> (<[3]> | <[4]>) | <[5]>)\nsid-1 ::= <[7]> <[2]>\n",
  );
  assert.equal(sidGrammar(ids.map((sid) => Uint32Array.from(sid))), sidGrammar(ids));
  assert.equal(sidGrammar([['a"\\\n']]), 'root ::= sid-0\nsid-0 ::= "a\\"\\\\\\n"\n');
});
