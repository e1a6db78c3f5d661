import assert from "node:assert/strict";
import { PhiloxStream } from "../../data/philox.ts";
import { UserError } from "../../data/user_error.ts";
import { Device } from "../../kernels/device.ts";
import type { SidMethod, SidProgress } from "../../sid/method.ts";
import * as registry from "../../sid/registry.ts";
import { rqKmeans } from "../../sid/rq_kmeans.ts";

const methods = Object.values(registry) as unknown as SidMethod[];
const SMALL = { codebookSize: 16 };

/** Random vectors around 10 directions. */
function embeddings(rows: number, dim: number) {
  const random = new PhiloxStream(7, "test embeddings");
  const groups = Float32Array.from({ length: 10 * dim }, () => 2 * random.normal());
  const data = Float32Array.from(
    { length: rows * dim },
    (_, i) => groups[Math.floor(i / dim) % 10 * dim + i % dim] + random.normal(),
  );
  return { data, rows, dim };
}

for (const method of methods) {
  Deno.test(`${method.name}: the same seed gives the same SIDs, the error falls with every level`, async () => {
    const items = embeddings(300, 18);
    const config = method.Config.parse(SMALL);
    const progress: SidProgress[] = [];
    const device = await Device.open();
    const once = await method.fit(device, items, config, (state) => progress.push(state));
    const twice = await method.fit(await Device.open(), items, config);
    assert.deepEqual(twice, once);
    assert.equal(once.codes.length, 300 * once.levels);
    assert.ok(once.codes.every((code) => code < 16));
    assert.equal(once.codebooks.length, once.levels);
    once.errors.forEach((error, l) => assert.ok(error > 0 && (l === 0 || error < once.errors[l - 1])));
    assert.ok(progress.every(({ done, total }) => done <= total));
    assert.deepEqual([...new Set(progress.map(({ level }) => level))], [...once.errors.keys()]);
  });

  Deno.test(`${method.name}: encode() codes the items as fit() did`, async () => {
    const items = embeddings(200, 7);
    const device = await Device.open();
    const { codes, codebooks } = await method.fit(device, items, method.Config.parse(SMALL));
    assert.deepEqual(await method.encode(device, items, codebooks), codes);
  });

  Deno.test(`${method.name}: another seed gives other SIDs`, async () => {
    const items = embeddings(200, 7);
    const device = await Device.open();
    const [one, other] = [1, 2].map((seed) => method.Config.parse({ ...SMALL, seed }));
    assert.notDeepEqual(
      (await method.fit(device, items, one)).codes,
      (await method.fit(device, items, other)).codes,
    );
  });

  Deno.test(`${method.name}: fit() leaves no memory behind`, async () => {
    const device = await Device.open();
    const items = embeddings(100, 7);
    await method.fit(device, items, method.Config.parse(SMALL));
    device.trim();
    const { buffers, textures } = device.memory;
    assert.deepEqual({ buffers, textures }, { buffers: 0, textures: 0 });
  });

  Deno.test(`${method.name}: fit() names the items whose embeddings are not finite`, async () => {
    const items = embeddings(100, 7);
    items.data[3 * 7 + 2] = NaN;
    items.data[50 * 7] = -Infinity;
    items.data[99 * 7 + 6] = 1e30;
    await assert.rejects(
      method.fit(await Device.open(), items, method.Config.parse(SMALL)),
      (error) => error instanceof UserError && /items 3, 50, 99 hold NaN/.test(error.message),
    );
  });

  Deno.test(`${method.name}: fit() refuses fewer items than codewords`, async () => {
    await assert.rejects(
      method.fit(await Device.open(), embeddings(15, 7), method.Config.parse(SMALL)),
      (error) => error instanceof UserError && /16 codewords from 15 items/.test(error.message),
    );
  });
}

Deno.test("rqKmeans.fit() finds codewords that can be told by hand", async () => {
  // Two far groups of two near points each: level 1 splits the groups, level 2 the rest of -1 and 1.
  const items = { data: Float32Array.of(99, 101, -101, -99), rows: 4, dim: 1 };
  const config = rqKmeans.Config.parse({ levels: 2, codebookSize: 2 });
  const { codes, codebooks, errors } = await rqKmeans.fit(await Device.open(), items, config);
  const sums = [0, 1, 2, 3].map((n) => codebooks[0][codes[2 * n]] + codebooks[1][codes[2 * n + 1]]);
  assert.deepEqual(sums, [99, 101, -101, -99]);
  assert.deepEqual([...codebooks[0]].sort((a, b) => a - b), [-100, 100]);
  assert.deepEqual([...codebooks[1]].sort((a, b) => a - b), [-1, 1]);
  assert.deepEqual(errors, [1, 0]);
});

Deno.test("rqKmeans.fit() codes items that are all alike", async () => {
  const items = { data: new Float32Array(40).fill(3), rows: 20, dim: 2 };
  const { codes, errors } = await rqKmeans.fit(await Device.open(), items, rqKmeans.Config.parse(SMALL));
  assert.deepEqual([...codes], new Array(60).fill(0));
  assert.deepEqual(errors, [0, 0, 0]);
});

Deno.test("rqKmeans.encode() refuses codebooks of another width", async () => {
  await assert.rejects(
    rqKmeans.encode(await Device.open(), embeddings(20, 7), [new Float32Array(14), new Float32Array(16)]),
    (error) =>
      error instanceof UserError && /codebook 1 has 16 numbers, expected a multiple of 7/.test(error.message),
  );
});
