import { type KernelSpec, matrixOf, type Named, noise, type Values } from "./spec.ts";
import type { Flat, Matrix } from "./tensor.ts";
import { edgesOf, type TrieChildren } from "./trie_log_softmax_spec.ts";
import { createTrieBeams, DEAD, trieFinished, trieTopK } from "./trie_topk.ts";

interface Attributes {
  prompts: number;
  width: number;
  steps: number;
}

/** Trie whose node at path p (1-based child numbers) has `fanOut(p)` children; tokens are odd numbers. */
function grow(fanOut: (path: number[]) => number): TrieChildren {
  const children: number[][] = [];
  const queue: number[][] = [[]];
  for (let path = queue.shift(); path; path = queue.shift()) {
    children.push(Array.from({ length: fanOut(path) }, (_, j) => 2 * j + 1));
    for (let j = 1; j <= children.at(-1)!.length; j++) queue.push([...path, j]);
  }
  return children;
}

const CASES = [
  { name: "one item", steps: 1, prompts: 1, width: 1, trie: grow((path) => path.length < 1 ? 1 : 0) },
  // Leaves at depths 1, 2 and 3.
  {
    name: "mixed depths",
    steps: 3,
    prompts: 3,
    width: 4,
    trie: grow((p) => p.length < 3 && p[p.length - 1] !== 2 ? 3 : 0),
  },
  { name: "more beams than leaves", steps: 2, prompts: 2, width: 9, trie: grow((p) => p.length < 2 ? 2 : 0) },
  {
    name: "wide",
    steps: 2,
    prompts: 9,
    width: 50,
    trie: grow((p) => p.length === 0 ? 130 : p.length === 1 ? 1 + p[0] % 7 : 0),
  },
];

/** The running beams and finished leaves, by sorting all candidates. */
function search(inputs: Named<Values>, { prompts, width, steps }: Attributes): Named<Values> {
  const { edges } = inputs;
  const nodeCount = edges.cols / 2;
  const outputs: Record<string, number[]> = { tokens: [], parents: [], leaves: [], leafScores: [] };
  for (let u = 0; u < prompts; u++) {
    let beams = [{ node: 0, score: 0, token: 0, parent: 0, order: 0 }];
    let finished: typeof beams = [];
    const dead = { node: DEAD, score: -1e30, token: DEAD, parent: 0, order: 0 };
    for (let step = 0; step < steps; step++) {
      const logProbs = inputs[`logProbs${step}`];
      const rowsPerPrompt = step === 0 ? 1 : width;
      const candidates = beams.flatMap((beam, parent) => {
        if (beam.node === DEAD) return [];
        const first = edges.data[beam.node];
        return Array.from({ length: edges.data[beam.node + 1] - first }, (_, j) => ({
          node: first + j + 1,
          score: beam.score + logProbs.data[(u * rowsPerPrompt + parent) * logProbs.cols + j],
          token: edges.data[nodeCount + 1 + first + j],
          parent,
          order: parent * 1000 + j,
        }));
      });
      const isLeaf = ({ node }: { node: number }) => edges.data[node] === edges.data[node + 1];
      const best = (list: typeof beams, order: "order" | "node") => {
        list.sort((a, b) => b.score - a.score || a[order] - b[order]);
        return Array.from({ length: width }, (_, i) => list[i] ?? dead);
      };
      finished = best(
        [...finished.filter(({ node }) => node !== DEAD), ...candidates.filter(isLeaf)],
        "node",
      );
      beams = best(candidates.filter((candidate) => !isLeaf(candidate)), "order");
      outputs[`tokens${u}.${step}`] = beams.map(({ token }) => token);
      outputs[`parents${u}.${step}`] = beams.map(({ parent }) => parent);
    }
    outputs.leaves.push(...finished.map(({ node }) => node));
    outputs.leafScores.push(...finished.map(({ score }) => score));
  }
  // By step, then prompt: the order of the arrays on the device.
  for (let step = 0; step < steps; step++) {
    for (let u = 0; u < prompts; u++) {
      outputs.tokens.push(...outputs[`tokens${u}.${step}`]);
      outputs.parents.push(...outputs[`parents${u}.${step}`]);
    }
  }
  const flat = (kind: "u32" | "f32", name: string): Values => ({
    kind,
    rows: 1,
    cols: outputs[name].length,
    data: Float64Array.from(outputs[name]),
  });
  return {
    tokens: flat("u32", "tokens"),
    parents: flat("u32", "parents"),
    leaves: flat("u32", "leaves"),
    scores: flat("f32", "leafScores"),
  };
}

export const trieTopKSpec: KernelSpec<Attributes> = {
  name: "trieTopK",
  cases: () =>
    CASES.map(({ name, trie, ...attributes }) => {
      const { prompts, width, steps } = attributes;
      const next = noise(width);
      const capacity = Math.max(...trie.map((tokens) => tokens.length));
      // Quarters: sums are exact in float32 and many are equal, which tests the order of ties.
      const value = () => -Math.abs(Math.round(next() * 16)) / 4;
      const levels = Array.from({ length: steps }, (_, step) => {
        const rows = step === 0 ? prompts : prompts * width;
        return [`logProbs${step}`, matrixOf(rows, capacity, value)] as const;
      });
      return { name, inputs: { edges: edgesOf(trie), ...Object.fromEntries(levels) }, attributes };
    }),
  reference: search,
  forward: (device, inputs, { prompts, width, steps }) => {
    const edges = inputs.edges as Flat;
    const trie = { edges, nodeCount: edges.length / 2 };
    const beams = createTrieBeams(device, prompts, width);
    const rows = prompts * width;
    const tokens = device.createFlat("u32", steps * rows);
    const parents = device.createFlat("u32", steps * rows);
    const copyTo = (from: Flat, to: Flat, step: number) =>
      device.copy(from, { ...to, offset: 4 * step * rows, length: rows });
    for (let step = 0; step < steps; step++) {
      trieTopK(device, inputs[`logProbs${step}`] as Matrix, trie, beams, step === 0);
      copyTo(beams.tokens, tokens, step);
      copyTo(beams.parents, parents, step);
    }
    trieFinished(device, beams);
    return { tokens, parents, leaves: beams.nodes, scores: beams.scores };
  },
};
