/** Prefix tree of terminals. */
type Node = Map<string, Node>;

/**
 * Semantic IDs as a grammar of llama.cpp (GBNF): what it lets a model write is one of them, whole, and nothing else.
 * `sids` are the tokens of each item: their ids, which stand for themselves, or their texts, which may be written in any
 * tokens that spell them. IDs that several items share are there once.
 */
export function sidGrammar(sids: readonly (readonly string[] | ArrayLike<number>)[]): string {
  const root: Node = new Map();
  for (const sid of sids) {
    let node = root;
    for (const token of Array.from<string | number>(sid)) {
      const terminal = typeof token === "number" ? `<[${token}]>` : quoted(token);
      const next = node.get(terminal) ?? new Map();
      node.set(terminal, next);
      node = next;
    }
  }
  // A rule for each first token: one for all would be a line of many thousand.
  const rules = [...root].map(([terminal, next], i) => `sid-${i} ::= ${sequence(terminal, next)}\n`);
  return `root ::= ${rules.map((_, i) => `sid-${i}`).join(" | ")}\n${rules.join("")}`;
}

function sequence(terminal: string, next: Node): string {
  if (next.size === 0) return terminal;
  const choices = [...next].map(([terminal, next]) => sequence(terminal, next));
  return `${terminal} ${choices.length === 1 ? choices[0] : `(${choices.join(" | ")})`}`;
}

/** A text as GBNF writes it. */
function quoted(text: string): string {
  const escapes: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\" };
  return `"${text.replace(/[\n\r\t"\\]/g, (letter) => escapes[letter])}"`;
}
