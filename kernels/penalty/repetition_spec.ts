import { flatOf, type KernelSpec, matrixOf, type Named, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix, Tensor } from "../gpu/tensor.ts";
import { TOKEN_NORMALISATIONS, type TokenNormalisation, type TrieEdges } from "../trie/log_softmax.ts";
import { repetitionPenalty } from "./repetition.ts";

interface Attributes {
  normalisation: TokenNormalisation;
  penalty: number;
  /** Nodes of the trie. */
  nodes: number;
  prompts: number;
}

const VOCABULARY = 9;
const WIDTH = 3;
const CAPACITY = 5;
const NO_NODE = 0xffffffff;
// Root with 1, 4 and 7; under 1: 2, 3, 4, 5 and 8; under 4: 4. Token 4 is on more than one level.
const CHILDREN = [[1, 4, 7], [2, 3, 4, 5, 8], [4], [], [], [], [], [], [], []];
const PATHS = [[], [1], [4], [7], [1, 2], [1, 3], [1, 4], [1, 5], [1, 8], [4]];
const PROMPTS = [[1, 3, 4, 6], [0]];
const NODES = [0, 1, 2, 1, NO_NODE, 0];

/** Every token's log-probability in each row. */
const LOG_PROBS = NODES.map((_, row) => {
  const next = noise(row + 3);
  const logits = Array.from({ length: VOCABULARY }, next);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - total);
});

const edgesOf = (lists: readonly (readonly number[])[]) =>
  flatOf("u32", [
    ...lists.reduce((starts, list) => [...starts, starts.at(-1)! + list.length], [0]),
    ...lists.flat(),
  ]);

/** (R, cols): log-probabilities of the tokens of a list of each row, 0 after its last. */
const columns = (lists: readonly (readonly number[])[], cols: number) =>
  matrixOf(NODES.length, cols, (row, col) => LOG_PROBS[row][lists[row][col]] ?? 0);

const ofNodes = (lists: readonly (readonly number[])[]) => NODES.map((node) => lists[node] ?? []);

export const spec: KernelSpec<Attributes> = {
  name: "repetitionPenalty",
  cases: () =>
    TOKEN_NORMALISATIONS.flatMap((normalisation) =>
      [1, 1.1, 5, .5].map((penalty) => ({
        name: `${penalty}, ${normalisation}`,
        inputs: {
          logProbs: columns(ofNodes(CHILDREN), CAPACITY),
          promptLogProbs: columns(NODES.map((_, row) => PROMPTS[Math.floor(row / WIDTH)]), 4),
          pathLogProbs: columns(ofNodes(PATHS), 2),
          trie: edgesOf(CHILDREN),
          nodes: flatOf("u32", NODES),
          prompts: edgesOf(PROMPTS),
          paths: edgesOf(PATHS),
        },
        attributes: { normalisation, penalty, nodes: CHILDREN.length, prompts: PROMPTS.length },
      }))
    ),
  // From all tokens of the vocabulary, as transformers has them.
  reference: (_inputs: Named<Values>, { normalisation, penalty }) => {
    const data = new Float64Array(NODES.length * CAPACITY);
    NODES.forEach((node, row) => {
      if (node === NO_NODE) return;
      const seen = new Set([...PROMPTS[Math.floor(row / WIDTH)], ...PATHS[node]]);
      const scores = LOG_PROBS[row].map((score, token) => seen.has(token) ? score * penalty : score);
      const all = normalisation === "vocab" ? scores : CHILDREN[node].map((token) => scores[token]);
      const total = Math.log(all.reduce((sum, score) => sum + Math.exp(score), 0));
      CHILDREN[node].forEach((token, j) => data[row * CAPACITY + j] = scores[token] - total);
    });
    return { logProbs: { kind: "matrix", rows: NODES.length, cols: CAPACITY, data } };
  },
  forward: (device, inputs: Named<Tensor>, { normalisation, penalty, nodes, prompts }) => {
    const lists = (name: string, nodeCount: number): TrieEdges => ({
      edges: inputs[name] as Flat,
      nodeCount,
    });
    return {
      logProbs: repetitionPenalty(
        device,
        inputs.logProbs as Matrix,
        { trie: lists("trie", nodes), nodes: inputs.nodes as Flat, capacity: CAPACITY },
        {
          prompts: lists("prompts", prompts),
          promptLogProbs: inputs.promptLogProbs as Matrix,
          paths: lists("paths", nodes),
          pathLogProbs: inputs.pathLogProbs as Matrix,
        },
        { width: WIDTH, penalty, normalisation },
      ),
    };
  },
};
