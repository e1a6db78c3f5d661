import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { Tape } from "../../../kernels/tape.ts";
import { Parameters, type TensorMap } from "../../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../../models/parameters/spec.ts";
import {
  actionLogProbs,
  createPolicyScratch,
  destroyPolicyScratch,
  type PolicyOptions,
} from "../../../models/losses/policy_gradient.ts";
import { buildTrie } from "../../../sid/trie.ts";

const [ROWS, WIDTH, VOCABULARY] = [6, 8, 90];
const NO_NODE = 0xffffffff;
// Tokens 50 to 79 belong to SIDs; a block of the head ends at 64 where its first rows are frozen.
const TRIE = buildTrie([[50, 61, 70], [50, 61, 79], [50, 63, 72], [55, 64, 70], [78, 66, 71]]);
const TOKENS = { start: 50, end: 80 };
const after = (...sid: number[]) => TRIE.walk(sid)!;
const NODES = [after(), NO_NODE, after(50), after(50, 61), after(55), after()];
// All chosen in the first row are of one group; the second and the last row are no places of a choice.
const CHOSEN = [[50, 78, 50, 55], [], [63, 61], [79], [64], []];
const COEFFICIENTS = [0.3, -0.7, 0.2, 0.5, -0.4, 0.9, 0.6, -0.1];
const ENTROPY_COEFFICIENTS = [0.2, 0.8, -0.5, 0.3, 0.7, 0.4];
const SPEC: ParameterSpec = {
  name: "head",
  rows: VOCABULARY,
  cols: WIDTH,
  init: "normal",
  decay: true,
  product: true,
  table: true,
};

function uploads(device: Device, frozenRows: number) {
  const next = noise(4);
  const hidden = Float32Array.from({ length: ROWS * WIDTH }, next);
  const head = Float32Array.from({ length: VOCABULARY * WIDTH }, next);
  const parameters = new Parameters(device, [{ ...SPEC, frozenRows }]);
  const tensors: TensorMap = new Map([["head", { shape: [VOCABULARY, WIDTH], data: head }]]);
  parameters.load(tensors, "test");
  const u32 = (values: number[]) => device.createFlat("u32", Uint32Array.from(values));
  const trie = { edges: u32([...TRIE.childOffsets, ...TRIE.childTokens]), nodeCount: TRIE.nodeCount };
  const offsets = CHOSEN.map((_, row) => CHOSEN.slice(0, row).flat().length);
  const actions = {
    offsets: u32([...offsets, CHOSEN.flat().length]),
    tokens: u32(CHOSEN.flat()),
    nodes: u32(NODES),
  };
  return { hidden, head, parameters, trie, actions };
}

/** Log-probabilities and entropies in double precision. */
function reference(
  hidden: ArrayLike<number>,
  head: ArrayLike<number>,
  { normalisation, temperature = 1 }: Pick<PolicyOptions, "normalisation" | "temperature">,
) {
  const logProbs: number[] = [];
  const entropy = CHOSEN.map((chosen, row) => {
    if (chosen.length === 0) return 0;
    const all = normalisation === "vocab"
      ? Array.from({ length: VOCABULARY }, (_, token) => token)
      : [...TRIE.tokensAfter(NODES[row])];
    const z = all.map((token) => {
      let sum = 0;
      for (let c = 0; c < WIDTH; c++) sum += hidden[row * WIDTH + c] * head[token * WIDTH + c];
      return sum / temperature;
    });
    const lse = Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0));
    logProbs.push(...chosen.map((token) => z[all.indexOf(token)] - lse));
    return z.reduce((sum, value) => sum - Math.exp(value - lse) * (value - lse), 0);
  });
  return { logProbs, entropy };
}

/** The sum whose gradient backward gives. */
function loss({ logProbs, entropy }: ReturnType<typeof reference>): number {
  return logProbs.reduce((sum, value, a) => sum + COEFFICIENTS[a] * value, 0) +
    entropy.reduce((sum, value, row) => sum + ENTROPY_COEFFICIENTS[row] * value, 0);
}

async function run(
  device: Device,
  { hidden, parameters, trie, actions }: ReturnType<typeof uploads>,
  settings: Omit<PolicyOptions, "trie" | "tokens">,
) {
  const scratch = createPolicyScratch(device, ROWS, COEFFICIENTS.length);
  const result = await device.scope(async () => {
    const x = device.upload(hidden, ROWS, WIDTH);
    const tape = new Tape(device, true);
    let dx = x;
    tape.record(() => dx = tape.gradient(x)!);
    const options = { ...settings, trie, tokens: TOKENS };
    actionLogProbs(tape, parameters, x, "head", actions, scratch, options);
    const [logProbs, entropy] = await device.read(scratch.logProbs, scratch.entropy);
    device.write(scratch.coefficients, Float32Array.from(COEFFICIENTS));
    device.write(scratch.entropyCoefficients, Float32Array.from(ENTROPY_COEFFICIENTS));
    parameters.clearGradients();
    tape.backward();
    const gradients = parameters.blocks("head").flatMap(({ gradient }) => gradient ? [gradient] : []);
    const [dHidden, ...dHead] = await device.read(dx, ...gradients);
    return { logProbs, entropy, dHidden, dHead: dHead.flatMap((part) => [...part]) };
  });
  destroyPolicyScratch(device, scratch);
  return result;
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
  for (const normalisation of ["vocab", "children"] as const) {
    // One chunk, whose logits are kept, is the same in both layouts.
    const settings = layout === "texture" ? [[8192, 0, 1], [16, 64, 0.7]] : [[16, 64, 0.7]];
    for (const [chunk, frozenRows, temperature] of settings) {
      Deno.test(`actionLogProbs() and its gradients equal double precision: ${normalisation}, chunks of ${chunk}, ${layout}`, async () => {
        const device = await sharedDevice(layout);
        const inputs = uploads(device, frozenRows);
        const settings = { normalisation, chunk, temperature };
        const { logProbs, entropy, dHidden, dHead } = await run(device, inputs, settings);
        const [x, w] = [Float64Array.from(inputs.hidden), Float64Array.from(inputs.head)];
        const expected = reference(x, w, settings);
        assertClose(logProbs, expected.logProbs, "logProbs");
        assertClose(entropy, expected.entropy, "entropy");
        const differences = (data: Float64Array) =>
          data.map((value, i) => {
            const losses = [1e-4, -1e-4].map((by) => {
              data[i] = value + by;
              return loss(reference(x, w, settings));
            });
            data[i] = value;
            return (losses[0] - losses[1]) / 2e-4;
          });
        assertClose(dHidden, differences(x), "dHidden");
        assertClose(dHead, differences(w).subarray(frozenRows * WIDTH), "dHead");
      });
    }
  }
}

Deno.test("actionLogProbs() gives rows without actions a gradient of exactly 0, whatever they hold", async () => {
  const device = await sharedDevice();
  const inputs = uploads(device, 0);
  const empty = CHOSEN.flatMap((chosen, row) => chosen.length === 0 ? [row] : []);
  for (const row of empty) inputs.hidden.fill(1e30, row * WIDTH, (row + 1) * WIDTH);
  for (const normalisation of ["vocab", "children"] as const) {
    const { dHidden, dHead, entropy } = await run(device, inputs, { normalisation });
    for (const row of empty) {
      assert.equal(entropy[row], 0);
      assert.deepEqual([...dHidden.subarray(row * WIDTH, (row + 1) * WIDTH)], Array(WIDTH).fill(0));
    }
    assert.ok(dHead.every(Number.isFinite));
  }
});

Deno.test("actionLogProbs() keeps no logits where nothing is recorded", async () => {
  const device = await Device.open();
  const { hidden, parameters, trie, actions } = uploads(device, 0);
  const scratch = createPolicyScratch(device, ROWS, COEFFICIENTS.length);
  device.scope(() => {
    const x = device.upload(hidden, ROWS, WIDTH);
    const forward = () => {
      const options = { normalisation: "vocab", trie, tokens: TOKENS } as const;
      actionLogProbs(new Tape(device, false), parameters, x, "head", actions, scratch, options);
    };
    forward();
    const { allocations } = device.counters;
    forward();
    assert.equal(device.counters.allocations, allocations);
  });
  await device.settle();
});

Deno.test("actionLogProbs() refuses a temperature of 0", async () => {
  const device = await sharedDevice();
  const { hidden, parameters, trie, actions } = uploads(device, 0);
  const scratch = createPolicyScratch(device, ROWS, COEFFICIENTS.length);
  device.scope(() => {
    const x = device.upload(hidden, ROWS, WIDTH);
    const options = { normalisation: "vocab", trie, tokens: TOKENS, temperature: 0 } as const;
    const act = () =>
      actionLogProbs(new Tape(device, true), parameters, x, "head", actions, scratch, options);
    assert.throws(act, { name: "RangeError", message: "temperature is 0: expected a number above 0" });
  });
});
