import { philox4x32Reference, testSeed } from "../../random/philox_spec.ts";
import { type KernelSpec, matrixOf, type Named, noise, type Values } from "../../gpu/spec.ts";
import type { Flat, Matrix } from "../../gpu/tensor.ts";
import { createTrieGumbelBeams, trieGumbelScores, trieGumbelTopK } from "./gumbel.ts";
import { edgesOf } from "../log_softmax_spec.ts";
import { grow } from "./topk_spec.ts";

interface Attributes {
  prompts: number;
  width: number;
  steps: number;
  temperature: number;
}

const CASES = [
  // Leaves at depths 1, 2 and 3.
  {
    name: "mixed depths",
    temperature: 1,
    steps: 3,
    prompts: 3,
    width: 4,
    trie: grow((p) => p.length < 3 && p[p.length - 1] !== 2 ? 3 : 0),
  },
  {
    name: "wide at temperature 2.5",
    temperature: 2.5,
    steps: 2,
    prompts: 9,
    width: 50,
    trie: grow((p) => p.length === 0 ? 130 : p.length === 1 ? 1 + p[0] % 7 : 0),
  },
  {
    name: "more beams than leaves",
    temperature: 0.5,
    steps: 2,
    prompts: 2,
    width: 9,
    trie: grow((p) => p.length < 2 ? 2 : 0),
  },
  {
    name: "one item",
    temperature: 1,
    steps: 1,
    prompts: 1,
    width: 1,
    trie: grow((p) => p.length < 1 ? 1 : 0),
  },
];

interface Beam {
  node: number;
  score: number;
  tempered: number;
  perturbed: number;
  parent: number;
}

/** Algorithm 1 of the paper with its formulas as they stand, by sorting all candidates. */
function search(inputs: Named<Values>, { prompts, width, steps, temperature }: Attributes): Named<Values> {
  const { edges: { data: edges, cols }, seed: { data: seed } } = inputs;
  const nodeCount = cols / 2;
  const rows = prompts * width;
  const flat = (kind: "u32" | "f32", length: number, fill: number): Values => ({
    kind,
    rows: 1,
    cols: length,
    data: new Float64Array(length).fill(fill),
  });
  const outputs = {
    tokens: flat("u32", steps * rows, 0xffffffff),
    parents: flat("u32", steps * rows, 0),
    nodes: flat("u32", rows, 0xffffffff),
    scores: flat("f32", rows, -1e30),
  };
  const isLeaf = (node: number) => edges[node] === edges[node + 1];
  for (let u = 0; u < prompts; u++) {
    const noiseOf = (edge: number) => {
      const counter: [number, number, number, number] = [edge >> 2, 0xffff0000, seed[2], seed[3] + u];
      return -Math.log(
        -Math.log1p(-(philox4x32Reference(counter, [seed[0], seed[1]])[edge % 4] + 0.5) / 2 ** 32),
      );
    };
    let beams: Beam[] = [{ node: 0, score: 0, tempered: 0, perturbed: 0, parent: 0 }];
    for (let step = 0; step < steps; step++) {
      const { data, cols: capacity } = inputs[`logProbs${step}`];
      const candidates = beams.flatMap((beam, parent): Beam[] => {
        if (isLeaf(beam.node)) return [{ ...beam, parent }];
        const start = ((step === 0 ? u : u * width) + parent) * capacity;
        const own = Array.from(data.subarray(start, start + edges[beam.node + 1] - edges[beam.node]));
        const total = Math.log(own.reduce((sum, x) => sum + Math.exp(x / temperature), 0));
        const tempered = own.map((x) => beam.tempered + x / temperature - total);
        const free = tempered.map((x, j) => x + noiseOf(edges[beam.node] + j));
        const largest = Math.max(...free);
        return own.map((x, j) => ({
          node: edges[beam.node] + j + 1,
          score: beam.score + x,
          tempered: tempered[j],
          perturbed: -Math.log(Math.exp(-beam.perturbed) - Math.exp(-largest) + Math.exp(-free[j])),
          parent,
        }));
      });
      beams = candidates.sort((a, b) => b.perturbed - a.perturbed).slice(0, width);
      const at = step * rows + u * width;
      beams.forEach(({ node, parent }, i) => {
        outputs.parents.data[at + i] = parent;
        if (!isLeaf(node)) outputs.tokens.data[at + i] = edges[nodeCount + node];
      });
    }
    outputs.nodes.data.set(beams.map(({ node }) => node), u * width);
    outputs.scores.data.set(beams.map(({ score }) => score), u * width);
  }
  return outputs;
}

export const trieGumbelTopKSpec: KernelSpec<Attributes> = {
  name: "trieGumbelTopK",
  cases: () =>
    CASES.map(({ name, trie, ...attributes }, i) => {
      const { prompts, width, steps } = attributes;
      const next = noise(width);
      const capacity = Math.max(...trie.map((tokens) => tokens.length));
      const levels = Array.from({ length: steps }, (_, step) => {
        const rows = step === 0 ? prompts : prompts * width;
        return [`logProbs${step}`, matrixOf(rows, capacity, () => 2 * next())] as const;
      });
      return {
        name,
        inputs: { edges: edgesOf(trie), seed: testSeed(i), ...Object.fromEntries(levels) },
        attributes,
      };
    }),
  reference: search,
  forward: (device, inputs, { prompts, width, steps, temperature }) => {
    const edges = inputs.edges as Flat;
    const trie = { edges, nodeCount: edges.length / 2 };
    const beams = createTrieGumbelBeams(device, prompts, width);
    const rows = prompts * width;
    const tokens = device.createFlat("u32", steps * rows);
    const parents = device.createFlat("u32", steps * rows);
    for (let step = 0; step < steps; step++) {
      const logProbs = inputs[`logProbs${step}`] as Matrix;
      trieGumbelTopK(device, logProbs, trie, beams, step, inputs.seed as Flat, temperature);
      for (const [from, to] of [[beams.tokens, tokens], [beams.parents, parents]]) {
        device.copy(from, { ...to, offset: 4 * step * rows, length: rows });
      }
    }
    trieGumbelScores(device, beams, steps);
    return { tokens, parents, nodes: beams.nodes, scores: beams.scores };
  },
};
