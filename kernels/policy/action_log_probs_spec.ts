import {
  actionLogProbsBackward,
  actionLogProbsChunk,
  actionLogProbsRows,
  actionLogProbsTotals,
  type ActionRows,
} from "./action_log_probs.ts";
import type { Device } from "../gpu/device.ts";
import { type KernelSpec, matrixOf, type Named, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix, Tensor } from "../gpu/tensor.ts";
import { edgesOf, type TrieChildren } from "../trie/log_softmax_spec.ts";

interface Attributes {
  /** Tokens chosen from each row. */
  chosen: number[][];
  temperature: number;
  /** Token of the first column. */
  start: number;
  /** Node of each row, where the softmax is over its children. */
  nodes?: number[];
  children: TrieChildren;
  team: boolean;
}

interface Shape extends Omit<Attributes, "team"> {
  name: string;
  /** Columns of each chunk of logits. */
  chunks: number[];
  /** Added to the logits of a column. */
  offset: (column: number) => number;
}

const NO_NODE = 0xffffffff;

// Root with 5, 8 and 12; the node behind 5 has one child, 8 none (a leaf), 12 five.
const TRIE: TrieChildren = [[5, 8, 12], [7], [], [6, 7, 8, 11, 12], [], [], [], [], [], []];

const CASES: Shape[] = [
  {
    name: "several actions, an empty row, two chunks",
    chosen: [[3], [], [0, 0, 12, 7], [11, 4]],
    chunks: [8, 5],
    temperature: 0.7,
    start: 0,
    offset: () => 0,
    children: [],
  },
  {
    name: "big logits in one chunk",
    chosen: [[], [2, 1], [0], []],
    chunks: [3],
    temperature: 1.5,
    start: 0,
    offset: () => 300,
    children: [],
  },
  {
    name: "more columns than a team takes at once",
    chosen: [[600, 3], [0, 529, 530, 600]],
    chunks: [530, 71],
    temperature: 1,
    start: 0,
    // All that counts is in the groups of the team's first invocation.
    offset: (column) => column % 512 < 4 ? 40 : 0,
    children: [],
  },
  {
    name: "children in two chunks",
    // A row whose node has one child, one of a leaf, one without actions and one of no node.
    chosen: [[12, 5, 12], [11, 7], [7], [], [9], [6]],
    nodes: [0, 3, 1, 3, 2, NO_NODE],
    chunks: [4, 5],
    temperature: 1.3,
    start: 4,
    offset: () => 0,
    children: TRIE,
  },
  {
    name: "children in one chunk, big logits",
    chosen: [[8], [6, 12, 8, 8]],
    nodes: [0, 3],
    chunks: [13],
    temperature: 0.5,
    start: 0,
    offset: () => -200,
    children: TRIE,
  },
];

export const spec: KernelSpec<Attributes> = {
  name: "actionLogProbs",
  cases: () =>
    CASES.flatMap((shape) =>
      shape.nodes ? [{ ...shape, team: false }] : [false, true].map((team) => ({ ...shape, team }))
    )
      .map(({ name, chunks, offset, ...attributes }) => {
        const next = noise(chunks.length + attributes.chosen.length);
        const logits = (cols: number) =>
          matrixOf(attributes.chosen.length, cols, (_, column) => offset(column) + 3 * next());
        return {
          name: `${name}, team ${attributes.team}`,
          inputs: Object.fromEntries(chunks.map((cols, i) => [`logits${i}`, logits(cols)])),
          attributes,
        };
      }),
  reference: (inputs, { chosen, temperature, start, nodes, children }) => {
    const logProbs: number[] = [];
    const entropy = chosen.map((tokens, row) => {
      const z = zOf(Object.values(inputs), row, temperature);
      const all = nodes ? (children[nodes[row]] ?? []).map((token) => token - start) : [...z.keys()];
      if (tokens.length === 0) return 0;
      if (all.length === 0) {
        logProbs.push(...tokens.map(() => 0));
        return 0;
      }
      const largest = Math.max(...all.map((column) => z[column]));
      const sum = all.reduce((sum, column) => sum + Math.exp(z[column] - largest), 0);
      const logProb = (column: number) => z[column] - largest - Math.log(sum);
      logProbs.push(...tokens.map((token) => logProb(token - start)));
      return all.reduce((sum, column) => sum - Math.exp(logProb(column)) * logProb(column), 0);
    });
    return { logProbs: doubles(logProbs), entropy: doubles(entropy) };
  },
  forward: (device, inputs, attributes) => {
    const { logProbs, entropy } = fold(device, inputs, attributes);
    return { logProbs, entropy };
  },
  backward: (device, inputs, _outputs, gradients, attributes) => {
    const { actions, stats } = fold(device, inputs, attributes);
    const coefficients = gradients.logProbs as Flat;
    const entropyCoefficients = gradients.entropy as Flat;
    actionLogProbsTotals(
      device,
      actions,
      stats,
      { coefficients, entropyCoefficients },
      attributes.chosen.length,
    );
    let { start } = attributes;
    const { temperature } = attributes;
    return Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => {
        const logits = tensor as Matrix;
        const gradient = actionLogProbsBackward(device, logits, actions, stats, coefficients, {
          start,
          temperature,
        });
        start += logits.cols;
        return [name, gradient];
      }),
    );
  },
};

function zOf(logits: Values[], row: number, temperature: number): number[] {
  return logits.flatMap(({ data, cols }) =>
    Array.from(data.subarray(row * cols, (row + 1) * cols), (logit) => logit / temperature)
  );
}

function doubles(values: number[]): Values {
  return { kind: "f32", rows: 1, cols: values.length, data: Float64Array.from(values) };
}

function fold(device: Device, inputs: Named<Tensor>, attributes: Attributes) {
  const { chosen, nodes, children, temperature, team } = attributes;
  const u32 = (values: number[]) => device.createFlat("u32", Uint32Array.from(values));
  const offsets = [0];
  for (const tokens of chosen) offsets.push(offsets.at(-1)! + tokens.length);
  const actions: ActionRows = {
    offsets: u32(offsets),
    tokens: u32(chosen.flat()),
    children: nodes && {
      trie: { edges: u32([...edgesOf(children).data]), nodeCount: children.length },
      nodes: u32(nodes),
    },
  };
  const rows = chosen.length;
  // Nothing of what was there before may show.
  const f32 = (length: number) => device.createFlat("f32", new Float32Array(length).fill(7));
  const flats = { stats: f32(4 * rows), logProbs: f32(chosen.flat().length), entropy: f32(rows) };
  let { start } = attributes;
  for (const logits of Object.values(inputs) as Matrix[]) {
    const first = start === attributes.start;
    actionLogProbsChunk(device, logits, actions, flats, { start, first, temperature, team });
    start += logits.cols;
  }
  actionLogProbsRows(device, actions, flats, rows);
  return { actions, ...flats };
}
