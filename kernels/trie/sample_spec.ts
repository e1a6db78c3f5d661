import { philox4x32Reference, testSeed } from "../random/philox_spec.ts";
import { type KernelSpec, matrixOf, type Named, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { edgesOf, type TrieChildren } from "./log_softmax_spec.ts";
import { createTrieDraws, type SampleShape, trieSample } from "./sample.ts";
import { grow } from "./search/topk_spec.ts";

interface Attributes extends SampleShape {
  prompts: number;
  width: number;
  steps: number;
  /** How many draws of a prompt take the first children, and for how many tokens. */
  guided?: { draws: number; depth: number };
}

const ALL: SampleShape = { temperature: 1, topK: 0, topP: 1 };
// Leaves at depths 1, 2 and 3.
const MIXED = grow((p) => p.length < 3 && p[p.length - 1] !== 2 ? 3 : 0);
const WIDE = grow((p) => p.length === 0 ? 130 : p.length === 1 ? 1 + p[0] % 7 : 0);

const CASES: readonly (Attributes & { name: string; trie: TrieChildren })[] = [
  { ...ALL, name: "mixed depths", steps: 3, prompts: 3, width: 20, trie: MIXED },
  { ...ALL, name: "wide at temperature 2.5", temperature: 2.5, steps: 2, prompts: 9, width: 50, trie: WIDE },
  { ...ALL, name: "the best of equal ones", topK: 1, steps: 3, prompts: 2, width: 5, trie: MIXED },
  { ...ALL, name: "top 5", topK: 5, steps: 2, prompts: 3, width: 30, trie: WIDE },
  { ...ALL, name: "top 0.9", topP: 0.9, steps: 2, prompts: 3, width: 30, trie: WIDE },
  {
    name: "top 20, then 0.6",
    temperature: 3,
    topK: 20,
    topP: 0.6,
    steps: 2,
    prompts: 3,
    width: 30,
    trie: WIDE,
  },
  {
    ...ALL,
    name: "guided draws",
    topK: 1,
    steps: 3,
    prompts: 3,
    width: 7,
    trie: MIXED,
    guided: { draws: 4, depth: 2 },
  },
  {
    ...ALL,
    name: "all draws guided to a leaf and past it",
    steps: 3,
    prompts: 2,
    width: 3,
    trie: MIXED,
    guided: { draws: 3, depth: 3 },
  },
  { ...ALL, name: "one item", steps: 1, prompts: 1, width: 2, trie: grow((p) => p.length < 1 ? 1 : 0) },
];

/** The children that the filters keep, by sorting. */
function keptOf(logProbs: number[], { temperature, topK, topP }: SampleShape): Set<number> {
  const best = logProbs.map((_, j) => j).sort((a, b) => logProbs[b] - logProbs[a] || a - b);
  if (topK > 0) best.splice(topK);
  if (topP === 1) return new Set(best);
  const weights = best.map((j) => Math.exp((logProbs[j] - logProbs[best[0]]) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  return new Set(best.filter((_, i) => {
    const keep = i === 0 || before < topP * total;
    before += weights[i];
    return keep;
  }));
}

function draw(inputs: Named<Values>, attributes: Attributes): Named<Values> {
  const { prompts, width, steps, temperature } = attributes;
  const { edges: { data: edges, cols }, seed: { data: seed }, guides } = inputs;
  const nodeCount = cols / 2;
  const rows = prompts * width;
  const flat = (kind: "u32" | "f32", length: number): Values => ({
    kind,
    rows: 1,
    cols: length,
    data: new Float64Array(length),
  });
  const outputs = { tokens: flat("u32", steps * rows), nodes: flat("u32", rows), scores: flat("f32", rows) };
  outputs.tokens.data.fill(0xffffffff);
  for (let row = 0; row < rows; row++) {
    const prompt = Math.floor(row / width);
    let node = 0;
    for (let step = 0; step < steps && edges[node] < edges[node + 1]; step++) {
      const matrix = inputs[`logProbs${step}`];
      const start = (step === 0 ? prompt : row) * matrix.cols;
      const count = edges[node + 1] - edges[node];
      const logProbs = Array.from(matrix.data.subarray(start, start + count));
      const top = Math.max(...logProbs);
      const kept = keptOf(logProbs, attributes);
      const weights = logProbs.map((x, j) => kept.has(j) ? Math.exp((x - top) / temperature) : 0);
      const [word] = philox4x32Reference(
        [row % width, 0xffff0000 + step, seed[2], seed[3] + prompt],
        [seed[0], seed[1]],
      );
      let left = Math.floor(word / 256) / 2 ** 24 * weights.reduce((sum, weight) => sum + weight, 0);
      const isGuided = guides && row % width >= width - attributes.guided!.draws &&
        step < attributes.guided!.depth;
      const child = isGuided
        ? guides.data[prompt * attributes.guided!.depth + step] - edges[node] - 1
        : weights.findIndex((weight) => (left -= weight) < 0);
      outputs.scores.data[row] += logProbs[child];
      node = edges[node] + child + 1;
      const inner = edges[node] < edges[node + 1];
      if (inner) outputs.tokens.data[step * rows + row] = edges[nodeCount + node];
    }
    outputs.nodes.data[row] = node;
  }
  return outputs;
}

/** Each prompt's way, by another child at each node, until there is none. */
function guidesOf(edges: ArrayLike<number>, prompts: number, depth: number): Values {
  const data = new Float64Array(prompts * depth).fill(0xffffffff);
  for (let prompt = 0; prompt < prompts; prompt++) {
    let node = 0;
    for (let step = 0; step < depth && edges[node] < edges[node + 1]; step++) {
      node = edges[node] + 1 + (prompt + step) % (edges[node + 1] - edges[node]);
      data[prompt * depth + step] = node;
    }
  }
  return { kind: "u32", rows: 1, cols: data.length, data };
}

export const trieSampleSpec: KernelSpec<Attributes> = {
  name: "trieSample",
  cases: () =>
    CASES.map(({ name, trie, ...attributes }, i) => {
      const { prompts, width, steps } = attributes;
      const next = noise(width + i);
      const capacity = Math.max(...trie.map((tokens) => tokens.length));
      // Halves: many are equal, which tests what is kept of equal ones.
      const value = () => -Math.abs(Math.round(next() * 8)) / 2;
      const levels = Array.from({ length: steps }, (_, step) => {
        const rows = step === 0 ? prompts : prompts * width;
        return [`logProbs${step}`, matrixOf(rows, capacity, value)] as const;
      });
      return {
        name,
        inputs: {
          edges: edgesOf(trie),
          seed: testSeed(i),
          ...Object.fromEntries(levels),
          ...(attributes.guided &&
            { guides: guidesOf(edgesOf(trie).data, prompts, attributes.guided.depth) }),
        },
        attributes,
      };
    }),
  reference: draw,
  forward: (device, inputs, { prompts, width, steps, guided, ...shape }) => {
    const edges = inputs.edges as Flat;
    const trie = { edges, nodeCount: edges.length / 2 };
    const draws = createTrieDraws(device, prompts, width);
    const rows = prompts * width;
    const tokens = device.createFlat("u32", steps * rows);
    const guides = guided && { ...guided, nodes: inputs.guides as Flat };
    for (let step = 0; step < steps; step++) {
      const logProbs = inputs[`logProbs${step}`] as Matrix;
      trieSample(device, logProbs, trie, draws, step, inputs.seed as Flat, shape, guides);
      device.copy(draws.tokens, { ...tokens, offset: 4 * step * rows, length: rows });
    }
    return { tokens, nodes: draws.nodes, scores: draws.scores };
  },
};
