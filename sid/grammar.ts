/** Prefix tree of texts. */
type Node = Map<string, Node>;

/**
 * Semantic IDs as a grammar of llama.cpp (GBNF): what it lets a model write is one of them, whole, and nothing else.
 * `sids` are the texts of the tokens of each item. IDs that several items share are there once.
 */
export function sidGrammar(sids: readonly (readonly string[])[]): string {
  const root: Node = new Map();
  for (const sid of sids) {
    let node = root;
    for (const token of sid) {
      const next = node.get(token) ?? new Map();
      node.set(token, next);
      node = next;
    }
  }
  // A rule for each first token: one for all would be a line of many thousand.
  const rules = [...root].map(([token, next], i) => `sid-${i} ::= ${sequence(token, next)}\n`);
  return `root ::= ${rules.map((_, i) => `sid-${i}`).join(" | ")}\n${rules.join("")}`;
}

function sequence(token: string, next: Node): string {
  if (next.size === 0) return quoted(token);
  const choices = [...next].map(([token, next]) => sequence(token, next));
  return `${quoted(token)} ${choices.length === 1 ? choices[0] : `(${choices.join(" | ")})`}`;
}

/** A text as GBNF writes it. */
function quoted(text: string): string {
  const escapes: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\" };
  return `"${text.replace(/[\n\r\t"\\]/g, (letter) => escapes[letter])}"`;
}
