import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import type { SidFit, SidInput, SidMethod, SidProgress } from "../../../sid/method.ts";
import * as registry from "../../../sid/methods/registry.ts";

const methods = Object.values(registry) as unknown as SidMethod[];
const QUICK_QUANTIZER = { epochs: 40, evalEpochs: 20, learningRate: 0.01, warmupEpochs: 0, keep: "loss" };
/** Settings that make a fit quick, for methods whose defaults do not. */
const QUICK: Record<string, Record<string, unknown>> = {
  rqvae: { ...QUICK_QUANTIZER, latentDim: 8, startIterations: 10 },
  "rqkmeans-plus": { ...QUICK_QUANTIZER, learningRate: 3e-3 },
  letter: { ...QUICK_QUANTIZER, epochs: 16, evalEpochs: 8, latentDim: 8, startIterations: 10 },
  "rqvae-v2": {
    ...QUICK_QUANTIZER,
    codebookSize: 32,
    epochs: 16,
    evalEpochs: 8,
    latentDim: 8,
    startIterations: 10,
  },
  rqkmeans: { starts: 2, iterations: 6 },
  "rqkmeans-balanced": { starts: 1, iterations: 6 },
  "rqkmeans-constrained": { iterations: 6 },
  rvq: { starts: 1, iterations: 6, rounds: 3, beam: 4 },
  opq: { starts: 1, rotations: 2, levels: 3, productLevels: 1, iterations: 5 },
};

function settings(method: SidMethod, seed = 42) {
  const shared = "codebookSize" in method.Config.shape ? { codebookSize: 16 } : {};
  return method.Config.parse({ ...shared, ...QUICK[method.name], seed });
}

/** Random vectors around 10 directions, others beside them, and users who buy within a group. */
function input(rows: number, dim: number): SidInput {
  const histories = Array.from(
    { length: 10 },
    (_, group) => Array.from({ length: Math.floor(rows / 10) }, (_, i) => group + 10 * i),
  );
  return { embeddings: vectors(rows, dim), collaborative: vectors(rows, 5), histories };
}

function vectors(rows: number, dim: number) {
  const random = new PhiloxStream(7, "test embeddings");
  const groups = Float32Array.from({ length: 10 * dim }, () => 2 * random.normal());
  const data = Float32Array.from(
    { length: rows * dim },
    (_, i) => groups[Math.floor(i / dim) % 10 * dim + i % dim] + random.normal(),
  );
  return { data, rows, dim };
}

for (const method of methods) {
  const items = input(300, 18), config = settings(method);
  const progress: SidProgress[] = [];
  let made: Promise<{ device: Device; fit: SidFit }> | undefined;
  // One for all tests that only look at it.
  const fitted = () =>
    made ??= sharedDevice().then(async (device) => ({
      device,
      fit: await method.fit(device, items, config, (state) => progress.push({ ...state })),
    }));

  Deno.test(`${method.name}: the same seed gives the same SIDs, the error falls with every level`, async () => {
    const { fit: once } = await fitted();
    const twice = await method.fit(await sharedDevice(), items, config);
    assert.deepEqual(twice, once);
    assert.equal(once.codes.length, 300 * once.levels);
    const { codebookSizes } = once.model;
    assert.equal(codebookSizes.length, once.levels);
    assert.ok(once.codes.every((code, i) => code < codebookSizes[i % once.levels]));
    assert.equal(once.errors.length, once.levels);
    once.errors.forEach((error, l) => assert.ok(error > 0 && (l === 0 || error < once.errors[l - 1])));
    const { residuals, codebook, dim } = once.lastLevel;
    assert.deepEqual([residuals.length, codebook.length], [300 * dim, codebookSizes.at(-1)! * dim]);
    assert.ok(progress.length > 0);
    assert.ok(progress.every(({ done, total }) => done >= 0 && done <= total));
  });

  Deno.test(`${method.name}: encode() does not depend on the items beside`, async () => {
    const { device, fit: { model, levels } } = await fitted();
    const all = await method.encode(device, items.embeddings, model, config);
    const half = { data: items.embeddings.data.slice(0, 150 * 18), rows: 150, dim: 18 };
    const some = await method.encode(device, half, model, config);
    assert.deepEqual(some.codes, all.codes.slice(0, 150 * levels));
  });

  Deno.test(`${method.name}: another seed gives other SIDs`, async () => {
    const { device, fit } = await fitted();
    assert.notDeepEqual((await method.fit(device, items, settings(method, 1))).codes, fit.codes);
  });

  Deno.test(`${method.name}: fit() and encode() leave no memory behind`, async () => {
    const { device } = await fitted();
    const few = input(100, 18);
    const { model } = await method.fit(device, few, config);
    await method.encode(device, few.embeddings, model, config);
    device.trim();
    const { buffers, textures } = device.memory;
    assert.deepEqual({ buffers, textures }, { buffers: 0, textures: 0 });
  });

  Deno.test(`${method.name}: fit() names the items whose embeddings are not finite`, async () => {
    const bad = input(100, 18);
    bad.embeddings.data[3 * 18 + 2] = NaN;
    bad.embeddings.data[50 * 18] = -Infinity;
    bad.embeddings.data[99 * 18 + 6] = 1e30;
    await assert.rejects(
      method.fit(await sharedDevice(), bad, config),
      (error) => error instanceof UserError && /items 3, 50, 99 hold NaN/.test(error.message),
    );
  });

  Deno.test(`${method.name}: fit() refuses fewer items than codewords`, async () => {
    await assert.rejects(
      method.fit(await sharedDevice(), input(3, 18), config),
      (error) => error instanceof UserError && /codewords from 3 items/.test(error.message),
    );
  });

  Deno.test(`${method.name}: encode() refuses embeddings of another width`, async () => {
    const { device, fit: { model } } = await fitted();
    await assert.rejects(
      method.encode(device, vectors(20, 7), model, config),
      (error) => error instanceof UserError && /width 7/.test(error.message) && /18/.test(error.message),
    );
  });
}
