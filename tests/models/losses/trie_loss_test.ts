import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import { Parameters, type TensorMap } from "../../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../../models/parameters/spec.ts";
import { createTrieLossScratch, trieAwareLoss } from "../../../models/losses/trie_loss.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { buildTrie } from "../../../sid/trie.ts";

const [ROWS, WIDTH, VOCABULARY] = [6, 8, 90];
const NO_NODE = 0xffffffff;
// Tokens 50 to 79 belong to SIDs; a block of the head ends at 64.
const TRIE = buildTrie([[50, 61, 70], [50, 61, 79], [50, 63, 72], [55, 64, 70], [78, 66, 71]]);
const TOKENS = { start: 50, end: 80 };
const after = (...sid: number[]) => TRIE.walk(sid)!;
const NODES = [after(), after(50), after(50, 61), NO_NODE, after(55), after()];
// The last is no child of the root: a text that breaks off a SID counts as one without a node.
const TARGETS = [78, 63, 79, 12, 64, 61];
const WEIGHTS = [0.3, 0.2, 0.1, 0.25, 0.15, 0.05];
const SPEC: ParameterSpec = {
  name: "head",
  rows: VOCABULARY,
  cols: WIDTH,
  init: "normal",
  decay: true,
  product: true,
  table: true,
};

function uploads(device: Device, frozenRows: number, seed: number) {
  const next = noise(seed);
  const hidden = Float32Array.from({ length: ROWS * WIDTH }, next);
  const head = Float32Array.from({ length: VOCABULARY * WIDTH }, next);
  const parameters = new Parameters(device, [{ ...SPEC, frozenRows }]);
  const tensors: TensorMap = new Map([["head", { shape: [VOCABULARY, WIDTH], data: head }]]);
  parameters.load(tensors, "test");
  const edges = Uint32Array.from([...TRIE.childOffsets, ...TRIE.childTokens]);
  const trie = { edges: device.createFlat("u32", edges), nodeCount: TRIE.nodeCount };
  return { hidden, head, parameters, trie };
}

/** The loss in double precision. */
function reference(hidden: ArrayLike<number>, head: ArrayLike<number>, share: number, smoothing: number) {
  const logit = (row: number, token: number) => {
    let sum = 0;
    for (let c = 0; c < WIDTH; c++) sum += hidden[row * WIDTH + c] * head[token * WIDTH + c];
    return sum;
  };
  const entropy = (row: number, tokens: number[]) => {
    const logits = tokens.map((token) => logit(row, token));
    const lse = Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0));
    const mean = logits.reduce((sum, z) => sum + z, 0) / logits.length;
    return (1 - smoothing) * (lse - logit(row, TARGETS[row])) + smoothing * (lse - mean);
  };
  const all = Array.from({ length: VOCABULARY }, (_, token) => token);
  return WEIGHTS.map((weight, row) => {
    const children = NODES[row] === NO_NODE ? [] : [...TRIE.tokensAfter(NODES[row])];
    if (!children.includes(TARGETS[row])) return weight * entropy(row, all);
    return weight * (share * entropy(row, children) + (1 - share) * entropy(row, all));
  });
}

/** Row losses and gradients of {@link trieAwareLoss}. */
async function run(
  device: Device,
  { hidden, parameters, trie }: ReturnType<typeof uploads>,
  settings: {
    share: number;
    labelSmoothing: number;
    chunk?: number;
    sidsOnly?: boolean;
    gradientScale?: number;
  },
) {
  const { share, sidsOnly, gradientScale = 1, ...options } = settings;
  const rows = {
    targets: device.createFlat("u32", Uint32Array.from(TARGETS)),
    weights: device.createFlat("f32", Float32Array.from(WEIGHTS)),
    gradientWeights: gradientScale === 1
      ? undefined
      : device.createFlat("f32", Float32Array.from(WEIGHTS, (weight) => gradientScale * weight)),
    stats: device.createFlat("f32", 4 * ROWS),
    rowLoss: device.createFlat("f32", new Float32Array(ROWS).fill(9)),
  };
  const nodes = device.createFlat("u32", Uint32Array.from(NODES));
  const scratch = createTrieLossScratch(device, ROWS);
  parameters.clearGradients();
  return await device.scope(async () => {
    const x = device.upload(hidden, ROWS, WIDTH);
    const tape = new Tape(device, true);
    let dx = x;
    tape.record(() => dx = tape.gradient(x)!);
    trieAwareLoss(tape, parameters, x, "head", rows, {
      ...options,
      trie: { trie, tokens: TOKENS, nodes, share, sidsOnly, scratch },
    });
    tape.backward();
    const gradients = parameters.blocks("head").flatMap(({ gradient }) => gradient ? [gradient] : []);
    const [losses, dHidden, ...dHead] = await device.read(rows.rowLoss, dx, ...gradients);
    return { losses, dHidden, dHead: dHead.flatMap((part) => [...part]) };
  });
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    assert.ok(
      Math.abs(actual[i] - expected[i]) < 1e-4,
      `${what}[${i}] is ${actual[i]}, expected ${expected[i]}`,
    );
  }
}

for (const layout of ["texture", "buffer"] as const) {
  for (const [share, labelSmoothing, frozenRows, chunk] of [[1, 0, 0, 8192], [0.6, 0.1, 64, 16]]) {
    Deno.test(`trieAwareLoss() and its gradients equal double precision: share ${share}, chunks of ${chunk}, ${layout}`, async () => {
      const device = await sharedDevice(layout);
      const inputs = uploads(device, frozenRows, 5);
      const { hidden, head } = inputs;
      const settings = { share, labelSmoothing, chunk };
      const { losses, dHidden, dHead } = await run(device, inputs, settings);
      assertClose(losses, reference(hidden, head, share, labelSmoothing), "loss");
      const total = (x: Float64Array, w: Float64Array) =>
        reference(x, w, share, labelSmoothing).reduce((sum, loss) => sum + loss, 0);
      const [x, w] = [Float64Array.from(hidden), Float64Array.from(head)];
      const differences = (data: Float64Array) =>
        data.map((value, i) => {
          const sums = [1e-4, -1e-4].map((by) => {
            data[i] = value + by;
            return total(x, w);
          });
          data[i] = value;
          return (sums[0] - sums[1]) / 2e-4;
        });
      assertClose(dHidden, differences(x), "dHidden");
      assertClose(dHead, differences(w).subarray(frozenRows * WIDTH), "dHead");
      const scaled = await run(device, inputs, { ...settings, gradientScale: 8 });
      assert.deepEqual(scaled.losses, losses);
      assertClose(scaled.dHidden.map((value) => value / 8), dHidden, "scaled");
    });
  }
}

Deno.test("trieAwareLoss() with a share of 0 is the loss over the vocabulary; of SIDs alone it leaves that out", async () => {
  const device = await Device.open();
  const inputs = uploads(device, 0, 6);
  const { hidden, head } = inputs;
  const plain = await run(device, inputs, { share: 0, labelSmoothing: 0 });
  assertClose(plain.losses, reference(hidden, head, 0, 0), "loss");
  const dispatches = device.counters.dispatches;
  const both = await run(device, inputs, { share: 1, labelSmoothing: 0 });
  const between = device.counters.dispatches;
  const alone = await run(device, inputs, { share: 1, labelSmoothing: 0, sidsOnly: true });
  assert.ok(device.counters.dispatches - between < between - dispatches);
  // Rows 3 and 5 are no SIDs: then they have no loss.
  const expected = both.losses.map((loss, row) => row === 3 || row === 5 ? 0 : loss);
  assert.deepEqual(alone.losses, expected);
});
