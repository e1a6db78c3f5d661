import assert from "node:assert/strict";
import { deserialize, serialize } from "node:v8";
import { PhiloxStream } from "../../../base/philox.ts";
import { COLLISION_POLICIES } from "../../../sid/collisions/by_name.ts";
import type { Embeddings } from "../../../sid/embeddings.ts";
import { rqKmeans } from "../../../sid/methods/rq_kmeans.ts";
import { type CodedLevels, fitMiniBatches } from "../../../sid/mini_batches/fit.ts";
import { reportTable } from "../../../sid/mini_batches/report.ts";
import { type ResolvedPart, resolveInParts } from "../../../sid/mini_batches/resolve.ts";
import type { RowSource } from "../../../sid/mini_batches/row_source.ts";
import { reportSids, type SidReport } from "../../../sid/statistics.ts";
import { formatSid } from "../../../sid/tokens.ts";
import { sharedDevice } from "../../shared_device.ts";

/** Points around random centres, which levels beyond the first refine. */
function points(rows: number, dim: number): Embeddings {
  const random = new PhiloxStream(3, "points in clusters");
  const centres = Float32Array.from({ length: 40 * dim }, () => 4 * random.normal());
  const data = Float32Array.from(
    { length: rows * dim },
    (_, i) => centres[(Math.floor(i / dim) % 40) * dim + i % dim] + random.normal(),
  );
  return { data, rows, dim };
}

function sourceOf({ data, rows, dim }: Embeddings): RowSource & { most: number } {
  const source = {
    rows,
    dim,
    most: 0,
    read(first: number, count: number) {
      source.most = Math.max(source.most, count);
      return Promise.resolve(data.slice(first * dim, (first + count) * dim));
    },
  };
  return source;
}

/** Sums of one report are added up in another order than those of the other. */
function rounded(report: SidReport): unknown {
  return JSON.parse(
    JSON.stringify(report),
    (_, value) => typeof value === "number" ? Number(value.toPrecision(9)) : value,
  );
}

// More items than a sample and two batches.
const embeddings = points(34_000, 6);
const config = rqKmeans.Config.parse({ levels: 2, codebookSize: 64, starts: 1, iterations: 10 });

Deno.test("mini-batches end near the error of k-means over all items, and twice at the same codes", async () => {
  const device = await sharedDevice();
  const source = sourceOf(embeddings);
  const found = await fitMiniBatches(device, source, config);
  const whole = await rqKmeans.fit(device, { embeddings }, config);
  for (const [level, error] of found.errors.entries()) {
    assert.ok(error < 1.05 * whole.errors[level], `level ${level + 1}: ${error}, ${whole.errors[level]}`);
  }
  assert.ok(source.most <= 16_384, `${source.most} rows were read at a time`);
  const again = await fitMiniBatches(device, sourceOf(embeddings), config);
  assert.deepEqual(again.codes, found.codes);
  assert.deepEqual(again.model, found.model);
  // Every item has its nearest codewords: what they were learned for codes items anew.
  const coded = await rqKmeans.encode(device, embeddings, found.model, config);
  assert.deepEqual(coded.codes, found.codes);
  for (const [level, error] of found.errors.entries()) {
    assert.ok(Math.abs(error / coded.errors[level] - 1) < 1e-4, `${error}, ${coded.errors[level]}`);
  }
});

Deno.test("mini-batches go on behind any level, to the same codes, codewords and errors", async () => {
  const device = await sharedDevice();
  const kept: Uint8Array[] = [];
  const onLevel = (levels: CodedLevels) => Promise.resolve(void kept.push(serialize(levels)));
  const whole = await fitMiniBatches(device, sourceOf(embeddings), config, { onLevel });
  assert.equal(kept.length, 2);
  for (const levels of kept) {
    const fit = await fitMiniBatches(device, sourceOf(embeddings), config, {}, deserialize(levels));
    assert.deepEqual(fit, whole);
  }
});

Deno.test("mini-batches want as many items as codewords", async () => {
  await assert.rejects(
    fitMiniBatches(await sharedDevice(), sourceOf(points(20, 6)), config),
    /Cannot learn 64 codewords from 20 items/,
  );
});

for (const policy of COLLISION_POLICIES) {
  Deno.test(`${policy.name} in parts of whole beginnings is ${policy.name} of the whole catalogue`, async () => {
    const random = new PhiloxStream(5, "colliding codes");
    const rows = 10_000, levels = 3, dim = 2, codewords = 8;
    const codes = Uint16Array.from(
      { length: rows * levels },
      (_, i) => i % levels === levels - 1 ? random.below(codewords) : random.below(60),
    );
    const codebook = Float32Array.from({ length: codewords * dim }, () => random.normal());
    const residuals = Float32Array.from({ length: rows * dim }, () => random.normal());
    const whole = policy.resolve({ data: codes, rows, levels }, { residuals, codebook, dim });
    const coded = {
      codes,
      levels,
      codebook,
      dim,
      residualsOf(items: Uint32Array) {
        const own = Array.from(items, (item) => [...residuals.subarray(item * dim, (item + 1) * dim)]);
        return Promise.resolve(Float32Array.from(own.flat()));
      },
    };
    let part: ResolvedPart | undefined;
    const { data, width } = await resolveInParts(policy, coded, (told) => {
      part ??= { data: told.data.slice(), done: told.done };
      return Promise.resolve();
    });
    assert.ok(part!.done > 0 && part!.done < rows, `${part!.done}`);
    assert.deepEqual(await resolveInParts(policy, coded, undefined, part), { data, width });
    const sids = Array.from(
      { length: rows },
      (_, item) => [...data.subarray(item * width, (item + 1) * width)].filter((code) => code >= 0),
    );
    assert.deepEqual(sids, whole.sids);
    const sizes = [60, 60, codewords];
    assert.deepEqual(
      rounded(reportTable({ data, width }, sizes)),
      rounded(reportSids(sids.map(formatSid), sizes)),
    );
  });
}
