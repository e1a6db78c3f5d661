import { type KernelSpec, matrixOf, type Named, noise, type Values } from "../../gpu/spec.ts";
import type { Flat, Matrix } from "../../gpu/tensor.ts";
import { edgesOf, type TrieChildren } from "../log_softmax_spec.ts";
import {
  createTrieBeams,
  DEAD,
  DEAD_SCORE,
  trieFinished,
  type TrieLevel,
  trieLevel,
  trieTopK,
} from "./topk.ts";

interface Attributes {
  prompts: number;
  width: number;
  steps: number;
  /** Beams a prompt that run on after each step; default: `width`. */
  live?: number[];
}

/** Trie whose node at path p (1-based child numbers) has `fanOut(p)` children; tokens are odd numbers. */
export function grow(fanOut: (path: number[]) => number): TrieChildren {
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
  // Fewer beams run on than are kept.
  {
    name: "narrowing",
    steps: 3,
    prompts: 5,
    width: 12,
    live: [7, 2, 1],
    trie: grow((p) => p.length < 3 && (p.length === 0 || p[p.length - 1] !== 2) ? 9 - 3 * p.length : 0),
  },
];

interface Beam {
  node: number;
  score: number;
  token: number;
  parent: number;
  child: number;
}

const NO_BEAM: Beam = { node: DEAD, score: DEAD_SCORE, token: DEAD, parent: 0, child: 0 };

/** The running beams of each step and the finished leaves, by sorting all candidates. */
function search(inputs: Named<Values>, { prompts, width, steps, live }: Attributes): Named<Values> {
  const { data: edges, cols } = inputs.edges;
  const nodeCount = cols / 2;
  const rows = prompts * width;
  const flat = (kind: "u32" | "f32", length: number): Values => ({
    kind,
    rows: 1,
    cols: length,
    data: new Float64Array(length),
  });
  const widths = [1, ...live ?? Array.from({ length: steps }, () => width)];
  const runs = widths.slice(1).reduce((sum, running) => sum + prompts * running, 0);
  const outputs = {
    tokens: flat("u32", runs),
    parents: flat("u32", runs),
    kept: flat("f32", steps * rows),
    leaves: flat("u32", rows),
    scores: flat("f32", rows),
  };
  const isLeaf = ({ node }: Beam) => edges[node] === edges[node + 1];
  const filled = (list: Beam[]) => Array.from({ length: width }, (_, i) => list[i] ?? NO_BEAM);

  for (let u = 0; u < prompts; u++) {
    let running: Beam[] = [{ ...NO_BEAM, node: 0, score: 0 }];
    let finished: Beam[] = [];
    let start = 0;
    for (let step = 0; step < steps; step++) {
      const logProbs = inputs[`logProbs${step}`];
      const firstRow = u * widths[step];
      const candidates = running.flatMap(({ node, score }, parent): Beam[] =>
        Array.from({ length: node === DEAD ? 0 : edges[node + 1] - edges[node] }, (_, child) => ({
          node: edges[node] + child + 1,
          score: score + logProbs.data[(firstRow + parent) * logProbs.cols + child],
          token: edges[nodeCount + 1 + edges[node] + child],
          parent,
          child,
        }))
      );
      finished.push(...candidates.filter(isLeaf));
      finished.sort((a, b) => b.score - a.score || a.node - b.node);
      finished = finished.slice(0, width);
      const inner = candidates.filter((candidate) => !isLeaf(candidate));
      const kept = filled(
        inner.sort((a, b) => b.score - a.score || a.parent - b.parent || a.child - b.child),
      );
      outputs.kept.data.set(kept.map(({ score }) => score), step * rows + u * width);
      running = kept.slice(0, widths[step + 1]);
      const at = start + u * widths[step + 1];
      outputs.tokens.data.set(running.map(({ token }) => token), at);
      outputs.parents.data.set(running.map(({ parent }) => parent), at);
      start += prompts * widths[step + 1];
    }
    outputs.leaves.data.set(filled(finished).map(({ node }) => node), u * width);
    outputs.scores.data.set(filled(finished).map(({ score }) => score), u * width);
  }
  return outputs;
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
        const live = step === 0 ? 1 : attributes.live?.[step - 1] ?? width;
        return [`logProbs${step}`, matrixOf(prompts * live, capacity, value)] as const;
      });
      return { name, inputs: { edges: edgesOf(trie), ...Object.fromEntries(levels) }, attributes };
    }),
  reference: search,
  forward: (device, inputs, { prompts, width, steps, live }) => {
    const edges = inputs.edges as Flat;
    const trie = { edges, nodeCount: edges.length / 2 };
    const beams = createTrieBeams(device, prompts, width, steps);
    const levels: TrieLevel[] = [];
    for (let step = 0; step < steps; step++) {
      levels.push(trieLevel(device, beams, step, live?.[step] ?? width));
      const [from, to] = [levels[step - 1], levels[step]];
      trieTopK(device, inputs[`logProbs${step}`] as Matrix, trie, beams, { from, to });
    }
    trieFinished(device, beams);
    const joined = (parts: Flat[]) => {
      const whole = device.createFlat(parts[0].dtype, parts.reduce((sum, { length }) => sum + length, 0));
      let start = 0;
      for (const part of parts) {
        device.copy(part, { ...whole, offset: 4 * start, length: part.length });
        start += part.length;
      }
      return whole;
    };
    return {
      tokens: joined(levels.map(({ tokens }) => tokens)),
      parents: joined(levels.map(({ parents }) => parents)),
      kept: joined(levels.map(({ scores }) => scores)),
      leaves: beams.leaves,
      scores: beams.scores,
    };
  },
};
