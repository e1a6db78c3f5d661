import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { Trie } from "../../sid/trie.ts";

/** Logits (V) after a path of tokens. */
export type LogitsAfter = (path: number[]) => ArrayLike<number>;

/** Score of every SID after `prompt` in float64, best first. */
export function bruteForce(
  trie: Trie,
  prompt: ArrayLike<number>,
  normalisation: TokenNormalisation,
  logitsAfter: LogitsAfter,
  repetitionPenalty = 1,
): { leaf: number; score: number }[] {
  const found: { leaf: number; score: number }[] = [];
  const visit = (node: number, path: number[], score: number) => {
    if (trie.isLeaf(node)) {
      found.push({ leaf: node, score });
      return;
    }
    const logits = penalised(logitsAfter(path), path, repetitionPenalty);
    const children = [...trie.tokensAfter(node)];
    const tokens = normalisation === "vocab" ? Array.from(logits, (_, token) => token) : children;
    const total = Math.log(tokens.reduce((sum, token) => sum + Math.exp(logits[token]), 0));
    for (const token of children) {
      visit(trie.walk([token], node)!, [...path, token], score + logits[token] - total);
    }
  };
  visit(0, Array.from(prompt), 0);
  return found.sort((a, b) => b.score - a.score);
}

/** Log-probabilities (V) as RepetitionPenaltyLogitsProcessor of transformers leaves them for beam search. */
function penalised(logits: ArrayLike<number>, path: readonly number[], penalty: number): ArrayLike<number> {
  if (penalty === 1) return logits;
  const total = Math.log(Array.from(logits).reduce((sum, logit) => sum + Math.exp(logit), 0));
  const scores = Array.from(logits, (logit) => logit - total);
  for (const token of new Set(path)) scores[token] *= scores[token] < 0 ? penalty : 1 / penalty;
  return scores;
}
