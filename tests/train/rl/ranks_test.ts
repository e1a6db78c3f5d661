import assert from "node:assert/strict";
import { ALONE, type World } from "../../../base/parallel/world.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { type RlConfig, rlConfig } from "../../../train/rl/config.ts";
import type { RewardGroup } from "../../../train/rl/rewards/reward.ts";
import { type RlResult, type RlRunInput, trainRl } from "../../../train/rl/trainer.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { Validation } from "../../../train/run/validation.ts";
import { worldsOf } from "../../base/parallel/in_process.ts";
import { bytesOf, inputOn, logOf, SMALL, tinyParent, validationOptions, withFolder } from "./tiny_run.ts";

/** A device for each rank, as processes have, by number format. */
const devices: Record<RlConfig["dtype"], Promise<Device>[]> = { float32: [], float16: [] };

/** Trains with all ranks of a world; how the first one ended. */
async function train(
  out: string,
  worlds: World[],
  settings: Partial<RlConfig>,
  more: (world: World) => Partial<RlRunInput> = () => ({}),
): Promise<RlResult> {
  await tinyParent();
  const config = rlConfig({
    ...SMALL,
    promptsPerStep: 16,
    tokensPerBatch: 64,
    maxSteps: 4,
    evalSteps: 2,
    ...settings,
  });
  const run = new RunDirectory(out, config);
  if (!more(worlds[0]).resume) {
    await run.create(false);
    await run.write("config.json", "{}");
  }
  const ends = await Promise.all(worlds.map(async (world) => {
    const { dtype } = config;
    const device = await (devices[dtype][world.rank] ??= Device.open({ dtype }));
    const input = await inputOn(device, config);
    const validation = new Validation({ ...validationOptions(device, config), world });
    return await trainRl({
      ...input,
      validation,
      run: new RunDirectory(out, config),
      resume: false,
      world,
      ...more(world),
    });
  }));
  for (const end of ends) assert.deepEqual([end.stopped, end.steps], [ends[0].stopped, ends[0].steps]);
  return ends[0];
}

/** What a run leaves, its times left out. */
async function leftBy(out: string) {
  const run = new RunDirectory(out);
  const { seconds: _, ...state } = JSON.parse(new TextDecoder().decode(await bytesOf(run, "rl.json")));
  const files = ["model.safetensors", "trainer.safetensors"].map((name) => bytesOf(run, name));
  return { log: await logOf(run), best: await run.read("best"), state, files: await Promise.all(files) };
}

/** A reward of its own; `scored` counts the groups that each rank asks it for. */
function rewardOf({ rank }: World, scored: number[] = []): Pick<RlRunInput, "rewards"> {
  const score = ({ completions, example: { targets } }: RewardGroup) => {
    scored[rank] = (scored[rank] ?? 0) + 1;
    const hits = completions.map(({ items }) => items.some((item) => targets.includes(item)));
    // What a rank computes of an answer, down to its last bit.
    const total = Float64Array.from(completions, ({ logProb }, i) => (hits[i] ? 1 : 0) + logProb / 100);
    return Promise.resolve({ total, byReward: [total], hits });
  };
  return { rewards: { names: ["own"], score } };
}

const kinds: Record<string, Partial<RlConfig>> = {
  "beams": { loss: "clipped", numIterations: 2, entropyCoefficient: 0.01, dropout: 0.1 },
  "draws and a reference that moves": { rollout: "sample", refModelSyncSteps: 2, sftLossWeight: 0.1 },
};
for (const [name, settings] of Object.entries(kinds)) {
  Deno.test(`reinforcement of 1, 2 and 4 ranks ends with the same bytes and lines: ${name}`, async () => {
    await withFolder(async (folder) => {
      await train(`${folder}/1`, [ALONE], settings, (world) => rewardOf(world));
      const alone = await leftBy(`${folder}/1`);
      for (const size of [2, 4]) {
        const scored: number[] = [], notes: string[] = [];
        await train(`${folder}/${size}`, worldsOf(size), settings, (world) => ({
          ...rewardOf(world, scored),
          onNote: (note) => void notes.push(note),
        }));
        assert.deepEqual(await leftBy(`${folder}/${size}`), alone, `${size} ranks`);
        assert.deepEqual(scored, Array(size).fill(4 * 16 / size), "each rank scores what it has written");
        assert.deepEqual(notes.filter((note) => note.startsWith("Note")), [], "none is idle");
      }
    });
  });
}

Deno.test("reinforcement of 1 and 2 ranks in float16 skips the same updates and ends with the same bytes", async () => {
  await withFolder(async (folder) => {
    const settings = {
      dtype: "float16",
      sftLossWeight: 100,
      maxSteps: 3,
      loggingSteps: 1,
      evalSamples: 4,
    } as const;
    await train(`${folder}/1`, [ALONE], settings, (world) => rewardOf(world));
    const alone = await leftBy(`${folder}/1`);
    const { skippedUpdates, gradNorm } = alone.log.at(-2);
    assert.ok(
      skippedUpdates > 0 && skippedUpdates < 3 && gradNorm > 0,
      `${skippedUpdates} of 3, norm ${gradNorm}`,
    );
    await train(`${folder}/2`, worldsOf(2), { ...settings, zeroStage: 1 }, (world) => rewardOf(world));
    assert.deepEqual(await leftBy(`${folder}/2`), alone);
  });
});

Deno.test("reinforcement that one rank was told to stop is resumed by another number of ranks, with the same bytes", async () => {
  await withFolder(async (folder) => {
    const settings = { rollout: "sample" as const, emaDecay: 0.5 };
    await train(`${folder}/whole`, [ALONE], settings);
    const abort = new AbortController();
    const stop = { signal: abort.signal, onValidation: (step: number) => step === 2 && abort.abort() };
    const stopped = await train(
      `${folder}/parts`,
      worldsOf(2),
      settings,
      ({ rank }) => rank === 1 ? stop : {},
    );
    // Heard with the step after.
    assert.deepEqual([stopped.stopped, stopped.steps], ["interrupted", 3]);
    // Each with a share of the moments now.
    const shared = { ...settings, zeroStage: 1 };
    const resumed = await train(`${folder}/parts`, worldsOf(4), shared, () => ({ resume: true }));
    assert.deepEqual([resumed.stopped, resumed.steps], ["finished", 4]);
    assert.deepEqual(await leftBy(`${folder}/parts`), await leftBy(`${folder}/whole`));
  });
});

Deno.test("reinforcement says once that an update is too small for its ranks", async () => {
  await withFolder(async (folder) => {
    const notes: string[] = [];
    await train(
      `${folder}/run`,
      worldsOf(2),
      { tokensPerBatch: 2048, maxSteps: 2, skipZeroVariance: false },
      ({ rank }) => rank === 0 ? { onNote: (note) => void notes.push(note) } : {},
    );
    assert.deepEqual(notes.filter((note) => note.startsWith("Note")), [
      "Note: step 1: the update has micro batches for 1 of 2 processes, 1 in all: more prompts a step " +
      "(--prompts-per-step) or fewer tokens a micro batch (--tokens-per-batch) keep all of them busy",
    ]);
  });
});
