import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import type { SidCodes, SidInput } from "../../../sid/method.ts";
import { codebookSizes, rqVaeV2 } from "../../../sid/methods/rq_vae_v2.ts";

const ITEMS = 240, DIM = 8, GROUPS = 12;

/** Vectors around 12 directions; users buy items of one direction with those of the next. */
function input(): SidInput {
  const random = new PhiloxStream(3, "items");
  const centres = Float32Array.from({ length: GROUPS * DIM }, () => 2 * random.normal());
  const data = Float32Array.from(
    { length: ITEMS * DIM },
    (_, i) => centres[Math.floor(i / DIM) % GROUPS * DIM + i % DIM] + random.normal(),
  );
  const histories = Array.from({ length: 400 }, () => {
    const pair = 2 * random.below(GROUPS / 2);
    return Array.from({ length: 6 }, () => pair + random.below(2) + GROUPS * random.below(ITEMS / GROUPS));
  });
  return { embeddings: { data, rows: ITEMS, dim: DIM }, histories };
}

const quick = (settings: Record<string, unknown>) =>
  rqVaeV2.Config.parse({
    codebookSize: 12,
    latentDim: 8,
    layers: [16],
    epochs: 60,
    evalEpochs: 60,
    batchSize: 120,
    startIterations: 10,
    learningRate: 0.005,
    lrSchedulerType: "constant",
    warmupEpochs: 0,
    uniquenessWeight: 0,
    keep: "loss",
    ...settings,
  });

/** Share of neighbours in the histories whose SIDs begin alike. */
function sharedPrefixes({ histories }: SidInput, { codes, levels }: SidCodes): number {
  const pairs = histories!.flatMap((history) => history.slice(1).map((item, i) => [history[i], item]))
    .filter(([one, other]) => one !== other);
  return pairs.filter(([one, other]) => codes[one * levels] === codes[other * levels]).length / pairs.length;
}

Deno.test("rqvae-v2 codebooks shrink by the resolution decay, to no less than 2", () => {
  const sizes = (codebookSize: number, resolutionDecay: number) =>
    codebookSizes({ levels: 4, codebookSize, resolutionDecay });
  assert.deepEqual(sizes(512, 2), [512, 256, 128, 64]);
  assert.deepEqual(sizes(256, 1), [256, 256, 256, 256]);
  assert.deepEqual(sizes(10, 3), [10, 3, 2, 2]);
});

Deno.test("rqvae-v2 gives items that are bought in a row the same first code more often than without contrast", async () => {
  const device = await sharedDevice();
  const items = input();
  const share = async (contrastWeight: number) =>
    sharedPrefixes(items, await rqVaeV2.fit(device, items, quick({ contrastWeight })));
  const [drawn, left] = [await share(1), await share(0)];
  assert.ok(drawn > 1.3 * left, `${drawn} of the pairs share a code with contrast, ${left} without`);
});

Deno.test("rqvae-v2 reads more out of the first code alone with progressive masking, less out of all", async () => {
  const device = await sharedDevice();
  const settings = { codebookSize: 8, epochs: 120, evalEpochs: 120, learningRate: 0.01, contrastWeight: 0 };
  const errors = async (progressiveMasking: boolean) => {
    const fits: SidCodes[] = [];
    for (const seed of [1, 2]) {
      fits.push(await rqVaeV2.fit(device, input(), quick({ ...settings, progressiveMasking, seed })));
    }
    return [0, 2].map((level) => fits[0].errors[level] + fits[1].errors[level]);
  };
  const [masked, whole] = [await errors(true), await errors(false)];
  assert.ok(
    masked[0] < whole[0],
    `error of the first level is ${masked[0]} with masking, ${whole[0]} without`,
  );
  assert.ok(masked[1] > whole[1], `error of all levels is ${masked[1]} with masking, ${whole[1]} without`);
});

Deno.test("rqvae-v2 asks for histories", async () => {
  const { embeddings } = input();
  await assert.rejects(
    rqVaeV2.fit(await sharedDevice(), { embeddings }, quick({})),
    (error) => error instanceof UserError && /without histories/.test(error.message),
  );
});
